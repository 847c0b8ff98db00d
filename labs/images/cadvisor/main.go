// cAdvisor's own packages behind the same flags and the same Prometheus endpoint as the official
// program, whose « cmd » module no Go proxy carries: without its pages, its API and its storage drivers.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"net/http"
	"net/http/pprof"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/google/cadvisor/cache/memory"
	"github.com/google/cadvisor/container"
	v2 "github.com/google/cadvisor/info/v2"
	"github.com/google/cadvisor/manager"
	"github.com/google/cadvisor/metrics"
	"github.com/google/cadvisor/storage"
	"github.com/google/cadvisor/utils/sysfs"
	"github.com/google/cadvisor/version"

	_ "github.com/google/cadvisor/container/containerd/install"
	_ "github.com/google/cadvisor/container/crio/install"
	_ "github.com/google/cadvisor/container/docker/install"
	_ "github.com/google/cadvisor/container/podman/install"
	_ "github.com/google/cadvisor/container/systemd/install"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
)

var (
	argIP         = flag.String("listen_ip", "", "IP to listen on, defaults to all IPs")
	argPort       = flag.Int("port", 8080, "port to listen")
	maxProcs      = flag.Int("max_procs", 0, "max number of CPUs that can be used simultaneously. Less than 1 for default (number of cores).")
	versionFlag   = flag.Bool("version", false, "print cAdvisor version and exit")
	endpoint      = flag.String("prometheus_endpoint", "/metrics", "Endpoint to expose Prometheus metrics on")
	profiling     = flag.Bool("profiling", false, "Enable profiling via web interface host:port/debug/pprof/")
	collectorCert = flag.String("collector_cert", "", "Collector's certificate, exposed to endpoints for certificate based authentication.")
	collectorKey  = flag.String("collector_key", "", "Key for the collector's certificate")
	storeLabels   = flag.Bool("store_container_labels", true, "convert container labels and environment variables into labels on prometheus metrics for each container. If flag set to false, then only metrics exported are container name, first alias, and image name")
	whitelisted   = flag.String("whitelisted_container_labels", "", "comma separated list of container labels to be converted to labels on prometheus metrics for each container. store_container_labels must be set to false for this to take effect.")
	envWhitelist  = flag.String("env_metadata_whitelist", "", "a comma-separated list of environment variable keys matched with specified prefix that needs to be collected for containers, only support containerd and docker runtime for now.")
	urlPrefix     = flag.String("url_base_prefix", "", "prefix path that will be prepended to all paths to support some reverse proxies")
	rawWhitelist  = flag.String("raw_cgroup_prefix_whitelist", "", "A comma-separated list of cgroup path prefix that needs to be collected even when -docker_only is specified")
	perfEvents    = flag.String("perf_events_config", "", "Path to a JSON file containing configuration of perf events to measure. Empty value disabled perf events measuring.")
	resctrl       = flag.Duration("resctrl_interval", 0, "Resctrl mon groups updating interval. Zero value disables updating mon groups.")
	duration      = flag.Duration("storage_duration", 2*time.Minute, "How long to keep data stored (Default: 2min).")
	driver        = flag.String("storage_driver", "", "Storage `driver` to use. Data is always cached shortly in memory, this controls where data is pushed besides the local cache. This build has none.")
	httpAuth      = flag.String("http_auth_file", "", "HTTP auth file for the web UI. This build has none.")
	httpDigest    = flag.String("http_digest_file", "", "HTTP digest file for the web UI. This build has none.")

	// Metrics that are not collected unless asked for.
	ignored = container.MetricSet{
		container.MemoryNumaMetrics:              struct{}{},
		container.NetworkTcpUsageMetrics:         struct{}{},
		container.NetworkUdpUsageMetrics:         struct{}{},
		container.NetworkAdvancedTcpUsageMetrics: struct{}{},
		container.ProcessSchedulerMetrics:        struct{}{},
		container.ProcessMetrics:                 struct{}{},
		container.HugetlbUsageMetrics:            struct{}{},
		container.ReferencedMemoryMetrics:        struct{}{},
		container.CPUTopologyMetrics:             struct{}{},
		container.ResctrlMetrics:                 struct{}{},
		container.CPUSetMetrics:                  struct{}{},
	}
	enabled = container.MetricSet{}
)

func init() {
	flag.Var(&ignored, "disable_metrics", "comma-separated list of `metrics` to be disabled.")
	flag.Var(&enabled, "enable_metrics", "comma-separated list of `metrics` to be enabled. If set, overrides 'disable_metrics'.")
	flag.String("http_auth_realm", "localhost", "HTTP auth realm for the web UI")
	flag.String("http_digest_realm", "localhost", "HTTP digest file for the web UI")
}

func main() {
	klog.InitFlags(nil)
	defer klog.Flush()
	_ = flag.Set("v", "2")
	flag.Parse()
	if *versionFlag {
		fmt.Printf("cAdvisor version %s (%s)\n", version.Info["version"], version.Info["revision"])
		return
	}
	if *driver != "" || *httpAuth != "" || *httpDigest != "" {
		klog.Fatalf("this offline build has no storage driver and no authentication")
	}
	included := container.AllMetrics.Difference(ignored)
	if len(enabled) > 0 {
		included = enabled
	}
	klog.V(1).Infof("enabled metrics: %s", included.String())
	if *maxProcs > 0 {
		runtime.GOMAXPROCS(*maxProcs)
	} else {
		runtime.GOMAXPROCS(runtime.NumCPU())
	}

	cache := memory.New(*duration, []storage.StorageDriver{})
	list := func(text string) []string { return strings.Split(text, ",") }
	m, err := manager.New(cache, sysfs.NewRealSysFs(), manager.HousekeepingConfigFlags, included, client(),
		list(*rawWhitelist), list(*envWhitelist), *perfEvents, *resctrl)
	if err != nil {
		klog.Fatalf("Failed to create a manager: %s", err)
	}
	mux := http.NewServeMux()
	routes(mux, m, included)
	if err := m.Start(); err != nil {
		klog.Fatalf("Failed to start manager: %v", err)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		s := <-signals
		if err := m.Stop(); err != nil {
			klog.Errorf("Failed to stop container manager: %v", err)
		}
		klog.Infof("Exiting given signal: %v", s)
		os.Exit(0)
	}()
	klog.V(1).Infof("Starting cAdvisor version: %s-%s on port %d", version.Info["version"], version.Info["revision"], *argPort)
	root := http.NewServeMux()
	root.Handle(*urlPrefix+"/", http.StripPrefix(*urlPrefix, mux))
	klog.Fatal(http.ListenAndServe(fmt.Sprintf("%s:%d", *argIP, *argPort), root))
}

func routes(mux *http.ServeMux, m manager.Manager, included container.MetricSet) {
	labels := metrics.DefaultContainerLabels
	if !*storeLabels {
		labels = metrics.BaseContainerLabels(strings.Split(*whitelisted, ","))
	}
	goCollector := collectors.NewGoCollector()
	process := collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})
	machine := metrics.NewPrometheusMachineCollector(m, included)
	mux.HandleFunc(*endpoint, func(w http.ResponseWriter, r *http.Request) {
		// The latest point of every container.
		options := v2.RequestOptions{IdType: v2.TypeName, Count: 1, Recursive: true}
		registry := prometheus.NewRegistry()
		registry.MustRegister(
			metrics.NewPrometheusCollector(m, labels, included, clock.RealClock{}, options),
			machine, goCollector, process,
		)
		handler := promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
		handler.ServeHTTP(w, r)
	})
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write([]byte("ok"))
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" && !strings.HasPrefix(r.URL.Path, "/containers") && !strings.HasPrefix(r.URL.Path, "/docker") {
			http.NotFound(w, r)
			return
		}
		_, _ = fmt.Fprintf(w, "cAdvisor %s (offline build: no pages, only %s and /healthz)\n", version.Info["version"], *endpoint)
	})
	if *profiling {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	}
}

// The client that reads the metrics of applications; it trusts any certificate, as the official one does.
func client() *http.Client {
	config := &tls.Config{InsecureSkipVerify: true}
	if *collectorCert != "" {
		if *collectorKey == "" {
			klog.Fatal("The collector_key value must be specified if the collector_cert value is set.")
		}
		pair, err := tls.LoadX509KeyPair(*collectorCert, *collectorKey)
		if err != nil {
			klog.Fatalf("Failed to use the collector certificate and key: %s", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
}
