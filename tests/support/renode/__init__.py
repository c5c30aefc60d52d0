"""What stands for Renode, which is in no package registry: its grammar, keywords, and process."""
