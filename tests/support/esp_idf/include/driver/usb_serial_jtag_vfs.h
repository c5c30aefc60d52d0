/* Stands for components/esp_driver_usb_serial_jtag/include/driver/usb_serial_jtag_vfs.h of ESP-IDF
 * 5.5.3. */
#ifndef STAND_IN_USB_SERIAL_JTAG_VFS_H
#define STAND_IN_USB_SERIAL_JTAG_VFS_H

void usb_serial_jtag_vfs_use_driver(void);

#endif
