/* Stands for the sdkconfig.h that ESP-IDF's build makes: no setting that generated sources look at
 * is on here. */
