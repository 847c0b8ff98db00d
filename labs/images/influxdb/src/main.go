// InfluxDB 2.x's HTTP API, reduced to what the labs ask, in front of an InfluxDB 1.6 server that keeps the points.
// The same program is « influxd » and « influx », by the name it is called under.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	version = "v2.7.0"
	backend = "http://127.0.0.1:18086"
	engine  = "/usr/libexec/influxdb/influxd"
)

func main() {
	log.SetFlags(log.LstdFlags | log.LUTC)
	if filepath.Base(os.Args[0]) == "influx" {
		os.Exit(client(os.Args[1:]))
	}
	if err := serve(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

// setting reads « --name value », else INFLUXD_NAME, else its default.
func setting(args []string, name, otherwise string) string {
	for i, a := range args {
		if v, ok := strings.CutPrefix(a, "--"+name+"="); ok {
			return v
		}
		if a == "--"+name && i+1 < len(args) {
			return args[i+1]
		}
	}
	if v := os.Getenv("INFLUXD_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))); v != "" {
		return v
	}
	return otherwise
}

func serve(args []string) error {
	if len(args) > 0 && args[0] == "version" {
		fmt.Println("InfluxDB", version, "(image hors ligne de TP Docker, InfluxDB 1.6.7 derrière)")
		return nil
	}
	if len(args) > 0 && args[0] == "run" {
		args = args[1:]
	}
	dir := filepath.Dir(setting(args, "bolt-path", "/var/lib/influxdb2/influxd.bolt"))
	data := setting(args, "engine-path", filepath.Join(dir, "engine"))
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("failed to create the data folder: %w", err)
	}
	state, err := open(filepath.Join(dir, "tp-docker.json"))
	if err != nil {
		return err
	}
	child := exec.Command(engine, "-config", "/dev/null")
	child.Env = append(os.Environ(), "INFLUXDB_HTTP_BIND_ADDRESS=127.0.0.1:18086", "INFLUXDB_BIND_ADDRESS=127.0.0.1:18088",
		"INFLUXDB_META_DIR="+data+"/meta", "INFLUXDB_DATA_DIR="+data+"/data", "INFLUXDB_DATA_WAL_DIR="+data+"/wal",
		"INFLUXDB_REPORTING_DISABLED=true", "INFLUXDB_HTTP_LOG_ENABLED=false", "INFLUXDB_MONITOR_STORE_ENABLED=false",
		"INFLUXDB_DATA_QUERY_LOG_ENABLED=false", "INFLUXDB_LOGGING_LEVEL=warn", "INFLUXDB_LOGGING_SUPPRESS_LOGO=true")
	child.Stderr = os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	if err := child.Start(); err != nil {
		return err
	}
	died := make(chan error, 1)
	go func() { died <- child.Wait() }()

	address := setting(args, "http-bind-address", ":8086")
	server := &http.Server{Addr: address, Handler: newAPI(state), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	log.Printf("info\tWelcome to InfluxDB\t{\"version\": %q, \"behind\": \"1.6.7\"}", version)
	log.Printf("info\tListening\t{\"service\": \"tcp-listener\", \"transport\": \"http\", \"addr\": %q}", address)

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	select {
	case <-stop:
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
		_ = child.Process.Signal(syscall.SIGTERM)
		<-died
		return nil
	case err := <-died:
		return fmt.Errorf("the storage engine stopped: %v", err)
	case err := <-failed:
		_ = child.Process.Signal(syscall.SIGTERM)
		<-died
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return err
	}
}
