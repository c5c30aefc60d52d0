/* Stands for components/esp_driver_uart/include/driver/uart_vfs.h of ESP-IDF 5.5.3. */
#ifndef STAND_IN_UART_VFS_H
#define STAND_IN_UART_VFS_H

void uart_vfs_dev_use_driver(int uart_num);

#endif
