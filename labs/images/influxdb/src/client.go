package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// options of « influx », by their long name; the rest are plain arguments.
func options(args []string) (map[string]string, []string) {
	long := map[string]string{"-o": "org", "-b": "bucket", "-t": "token", "-u": "username", "-p": "password", "-r": "retention", "-f": "force", "-n": "name"}
	given, rest := map[string]string{}, []string(nil)
	for i := 0; i < len(args); i++ {
		name, value, has := strings.Cut(args[i], "=")
		switch {
		case long[name] != "":
			name = long[name]
		case strings.HasPrefix(name, "--"):
			name = name[2:]
		default:
			rest = append(rest, args[i])
			continue
		}
		if name == "force" || name == "skip-verify" || name == "json" || name == "hide-headers" || name == "raw" {
			value = "true"
		} else if !has && i+1 < len(args) {
			i++
			value = args[i]
		}
		given[name] = value
	}
	return given, rest
}

// client is « influx »: ping, version, setup, org list, bucket list, bucket create, auth list, write, query.
func client(args []string) int {
	o, rest := options(args)
	command := strings.Join(rest, " ")
	if len(rest) > 0 && rest[0] == "bucket" || len(rest) > 0 && rest[0] == "org" || len(rest) > 0 && rest[0] == "auth" {
		command = strings.Join(rest[:min(2, len(rest))], " ")
	} else if len(rest) > 0 {
		command = rest[0]
	}
	saved := readConfig()
	host := first(first(o["host"], os.Getenv("INFLUX_HOST")), first(saved["url"], "http://localhost:8086"))
	token := first(first(o["token"], os.Getenv("INFLUX_TOKEN")), saved["token"])
	org := first(first(o["org"], os.Getenv("INFLUX_ORG")), saved["org"])
	ask := func(method, path string, body io.Reader, kind string) (int, []byte, error) {
		r, err := http.NewRequest(method, strings.TrimSuffix(host, "/")+path, body)
		if err != nil {
			return 0, nil, err
		}
		r.Header.Set("Content-Type", kind)
		if token != "" {
			r.Header.Set("Authorization", "Token "+token)
		}
		said, err := (&http.Client{Timeout: 30 * time.Second}).Do(r)
		if err != nil {
			return 0, nil, err
		}
		defer said.Body.Close()
		text, err := io.ReadAll(said.Body)
		return said.StatusCode, text, err
	}
	show := func(code int, text []byte, err error) int {
		if err != nil {
			fmt.Fprintln(os.Stderr, "Error:", err)
			return 1
		}
		if code >= 300 {
			fmt.Fprintf(os.Stderr, "Error: %d: %s\n", code, strings.TrimSpace(string(text)))
			return 1
		}
		_, _ = os.Stdout.Write(text)
		return 0
	}
	switch command {
	case "ping":
		code, text, err := ask("GET", "/health", nil, "")
		if status := show(code, nil, err); status != 0 || code != 200 {
			_ = text
			return 1
		}
		fmt.Println("OK")
		return 0
	case "version":
		fmt.Println("Influx CLI (image hors ligne de TP Docker)")
		return 0
	case "setup":
		in := Setup{Username: o["username"], Password: o["password"], Org: o["org"], Bucket: o["bucket"], Token: o["token"]}
		if r := o["retention"]; r != "" && r != "0" {
			at, err := instant(r, time.Unix(0, 0))
			if err != nil {
				return show(0, nil, err)
			}
			in.Retention = at.Unix()
		}
		body, _ := json.Marshal(in)
		token = ""
		code, text, err := ask("POST", "/api/v2/setup", bytes.NewReader(body), "application/json")
		if err == nil && code == 201 {
			var out struct{ Auth struct{ Token string } }
			_ = json.Unmarshal(text, &out)
			writeConfig(host, out.Auth.Token, in.Org)
			fmt.Printf("User\tOrganization\tBucket\n%s\t%s\t%s\n", in.Username, in.Org, in.Bucket)
			return 0
		}
		return show(code, text, err)
	case "org list":
		return show(ask("GET", "/api/v2/orgs", nil, ""))
	case "auth list":
		return show(ask("GET", "/api/v2/me", nil, ""))
	case "bucket list":
		path := "/api/v2/buckets"
		if o["name"] != "" {
			path += "?name=" + url.QueryEscape(o["name"])
		}
		return show(ask("GET", path, nil, ""))
	case "bucket create":
		body, _ := json.Marshal(map[string]string{"name": o["name"]})
		return show(ask("POST", "/api/v2/buckets", bytes.NewReader(body), "application/json"))
	case "write":
		lines := strings.Join(rest[1:], "\n")
		if lines == "" || lines == "-" {
			text, _ := io.ReadAll(os.Stdin)
			lines = string(text)
		}
		q := url.Values{"org": {org}, "bucket": {first(o["bucket"], os.Getenv("INFLUX_BUCKET_NAME"))}, "precision": {first(o["precision"], "ns")}}
		return show(ask("POST", "/api/v2/write?"+q.Encode(), strings.NewReader(lines), "text/plain"))
	case "query":
		return show(ask("POST", "/api/v2/query?org="+url.QueryEscape(org), strings.NewReader(strings.Join(rest[1:], " ")), "application/vnd.flux"))
	}
	fmt.Fprintln(os.Stderr, "influx (image hors ligne de TP Docker) : ping, version, setup, org list, bucket list, bucket create, write, query")
	return 1
}

func configPath() string { return first(os.Getenv("INFLUX_CONFIGS_PATH"), "/etc/influxdb2/influx-configs") }

func readConfig() map[string]string {
	found := map[string]string{}
	text, _ := os.ReadFile(configPath())
	for line := range strings.SplitSeq(string(text), "\n") {
		if key, value, ok := strings.Cut(line, "="); ok {
			found[strings.TrimSpace(key)] = strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return found
}

func writeConfig(host, token, org string) {
	text := fmt.Sprintf("[default]\n  url = %q\n  token = %q\n  org = %q\n  active = true\n", host, token, org)
	if err := os.WriteFile(configPath(), []byte(text), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, "Warning:", err)
	}
}
