package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

type api struct {
	state *State
	since time.Time
}

func newAPI(s *State) http.Handler {
	a := &api{s, time.Now()}
	m := http.NewServeMux()
	m.HandleFunc("/health", a.health)
	m.HandleFunc("/ready", a.ready)
	m.HandleFunc("/ping", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	m.HandleFunc("GET /metrics", a.metrics)
	m.HandleFunc("GET /api/v2/setup", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, map[string]any{"allowed": !s.ready()})
	})
	m.HandleFunc("POST /api/v2/setup", a.setup)
	m.HandleFunc("GET /api/v2/me", a.only(func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, s.User) }))
	m.HandleFunc("GET /api/v2/orgs", a.only(a.orgs))
	m.HandleFunc("GET /api/v2/buckets", a.only(a.buckets))
	m.HandleFunc("POST /api/v2/buckets", a.only(a.createBucket))
	m.HandleFunc("POST /api/v2/write", a.only(a.write))
	m.HandleFunc("POST /api/v2/query", a.only(a.query))
	m.HandleFunc("/query", a.only(a.influxQL))
	m.HandleFunc("/api/v2/", a.only(func(w http.ResponseWriter, r *http.Request) {
		refuse(w, 501, "not implemented", "image hors ligne de TP Docker : "+r.URL.Path+" n'y est pas")
	}))
	m.HandleFunc("/api/v2", func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, map[string]any{"setup": "/api/v2/setup"}) })
	m.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<!DOCTYPE html><title>InfluxDB</title><p>Image hors ligne : l’interface web d’InfluxDB 2 n’y est pas ; son API répond sous /api/v2.</p>")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Influxdb-Version", version)
		w.Header().Set("X-Influxdb-Build", "OSS")
		m.ServeHTTP(w, r)
	})
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(code)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "\t")
	_ = enc.Encode(body)
}

func refuse(w http.ResponseWriter, code int, kind, message string) {
	answer(w, code, map[string]string{"code": kind, "message": message})
}

// only lets a request through when it carries the token: « Token X », « Bearer X », or the password of 1.x's API.
func (a *api) only(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if kind != "Token" && kind != "Bearer" {
			token = ""
		}
		if _, password, ok := r.BasicAuth(); ok {
			token = password
		}
		if token == "" {
			token = r.URL.Query().Get("p")
		}
		if !a.state.allows(strings.TrimSpace(token)) {
			refuse(w, 401, "unauthorized", "unauthorized access")
			return
		}
		next(w, r)
	}
}

var behind = &http.Client{Timeout: 30 * time.Second}

// alive says whether the storage engine answers.
func alive() error {
	quick := &http.Client{Timeout: 2 * time.Second}
	r, err := quick.Get(backend + "/ping")
	if err != nil {
		return err
	}
	return r.Body.Close()
}

func (a *api) health(w http.ResponseWriter, _ *http.Request) {
	body := map[string]any{"name": "influxdb", "message": "ready for queries and writes", "status": "pass", "checks": []any{}, "version": version, "commit": "offline"}
	code := 200
	if err := alive(); err != nil {
		code, body["status"], body["message"] = 503, "fail", "the storage engine does not answer"
	}
	answer(w, code, body)
}

func (a *api) ready(w http.ResponseWriter, _ *http.Request) {
	if err := alive(); err != nil {
		refuse(w, 503, "unavailable", "the storage engine does not answer")
		return
	}
	answer(w, 200, map[string]any{"status": "ready", "started": a.since.UTC(), "up": time.Since(a.since).String()})
}

func (a *api) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	fmt.Fprintf(w, "# TYPE influxdb_info gauge\ninfluxdb_info{arch=\"amd64\",os=\"linux\",version=%q} 1\n", version)
	fmt.Fprintf(w, "# TYPE influxdb_uptime_seconds gauge\ninfluxdb_uptime_seconds %f\n", time.Since(a.since).Seconds())
	fmt.Fprintf(w, "# TYPE influxdb_buckets_total counter\ninfluxdb_buckets_total %d\n", len(a.state.Buckets))
}

func (a *api) setup(w http.ResponseWriter, r *http.Request) {
	var in Setup
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(w, 400, "invalid", err.Error())
		return
	}
	kind, err := a.state.setup(in)
	if err != nil {
		code := map[string]int{"conflict": 422, "internal error": 500}[kind]
		if code == 0 {
			code = 400
		}
		refuse(w, code, kind, err.Error())
		return
	}
	answer(w, 201, map[string]any{"user": a.state.User, "org": a.state.Org, "bucket": a.state.Buckets[0], "auth": map[string]string{"token": a.state.Token, "status": "active"}})
}

func (a *api) orgs(w http.ResponseWriter, r *http.Request) {
	if name := r.URL.Query().Get("org"); !a.state.isOrg(name) {
		refuse(w, 404, "not found", fmt.Sprintf("organization name %q not found", name))
		return
	}
	answer(w, 200, map[string]any{"orgs": []*Named{a.state.Org}})
}

func (a *api) buckets(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("name")
	found := []*Named{}
	for _, b := range a.state.Buckets {
		if name == "" || b.Name == name {
			found = append(found, b)
		}
	}
	if name != "" && len(found) == 0 {
		refuse(w, 404, "not found", fmt.Sprintf("bucket %q not found", name))
		return
	}
	answer(w, 200, map[string]any{"buckets": found})
}

func (a *api) createBucket(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name  string `json:"name"`
		Rules []struct {
			Every int64 `json:"everySeconds"`
		} `json:"retentionRules"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Name == "" {
		refuse(w, 400, "invalid", "bucket name is empty")
		return
	}
	if a.state.bucket(in.Name) != nil {
		refuse(w, 422, "conflict", fmt.Sprintf("bucket with name %s already exists", in.Name))
		return
	}
	one := newNamed(in.Name, a.state.Org.ID, 0)
	if len(in.Rules) > 0 {
		one.Retention = in.Rules[0].Every
	}
	a.state.mu.Lock()
	defer a.state.mu.Unlock()
	if err := a.state.createDatabase(one); err != nil {
		refuse(w, 500, "internal error", err.Error())
		return
	}
	a.state.Buckets = append(a.state.Buckets, one)
	_ = a.state.save()
	answer(w, 201, one)
}

func (a *api) write(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if !a.state.isOrg(first(q.Get("org"), q.Get("orgID"))) {
		refuse(w, 404, "not found", fmt.Sprintf("organization name %q not found", q.Get("org")))
		return
	}
	bucket := a.state.bucket(q.Get("bucket"))
	if bucket == nil {
		refuse(w, 404, "not found", fmt.Sprintf("bucket %q not found", q.Get("bucket")))
		return
	}
	precision := map[string]string{"": "n", "ns": "n", "us": "u", "ms": "ms", "s": "s"}[q.Get("precision")]
	if precision == "" {
		refuse(w, 400, "invalid", "invalid precision; valid precision units are ns, us, ms, and s")
		return
	}
	to, _ := http.NewRequestWithContext(r.Context(), http.MethodPost, backend+"/write?"+url.Values{"db": {bucket.ID}, "precision": {precision}}.Encode(), r.Body)
	to.Header.Set("Content-Encoding", r.Header.Get("Content-Encoding"))
	said, err := behind.Do(to)
	if err != nil {
		refuse(w, 503, "unavailable", "the storage engine does not answer")
		return
	}
	defer said.Body.Close()
	if said.StatusCode == http.StatusNoContent {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	var problem struct{ Error string }
	_ = json.NewDecoder(said.Body).Decode(&problem)
	kind, code := "invalid", said.StatusCode
	if code >= 500 {
		kind = "internal error"
	}
	refuse(w, code, kind, problem.Error)
}

// influxQL passes 1.x's own query endpoint on, the database being a bucket.
func (a *api) influxQL(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	bucket := a.state.bucket(r.Form.Get("db"))
	if bucket == nil {
		refuse(w, 404, "not found", fmt.Sprintf("bucket %q not found", r.Form.Get("db")))
		return
	}
	form := url.Values{"db": {bucket.ID}, "q": {r.Form.Get("q")}, "epoch": {r.Form.Get("epoch")}}
	said, err := behind.PostForm(backend+"/query", form)
	if err != nil {
		refuse(w, 503, "unavailable", "the storage engine does not answer")
		return
	}
	defer said.Body.Close()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(said.StatusCode)
	_, _ = io.Copy(w, said.Body)
}

// createDatabase gives a bucket its database, named by its identifier.
func (s *State) createDatabase(b *Named) error {
	duration := "INF"
	if b.Retention > 0 {
		duration = fmt.Sprintf("%ds", max(b.Retention, 3600))
	}
	said, err := behind.PostForm(backend+"/query", url.Values{"q": {fmt.Sprintf("CREATE DATABASE %q WITH DURATION %s", b.ID, duration)}})
	if err != nil {
		return err
	}
	defer said.Body.Close()
	text, _ := io.ReadAll(said.Body)
	if bytes.Contains(text, []byte(`"error"`)) {
		return fmt.Errorf("%s", bytes.TrimSpace(text))
	}
	return nil
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
