module tp-docker/influxdb2

go 1.24
