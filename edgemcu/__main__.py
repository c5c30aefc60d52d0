from edgemcu.cli.main import main

main()
