package main

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// pipe is the part of Flux that is understood: from |> range |> filter (== joined by and, or) |> limit, last, count.
type pipe struct {
	bucket      string
	start, stop time.Time
	measures    []string
	fields      []string
	tags        map[string][]string
	limit       int
	last, count bool
}

var (
	callOf   = regexp.MustCompile(`^(\w+)\s*\((?s:(.*))\)$`)
	argument = regexp.MustCompile(`(\w+)\s*:\s*("[^"]*"|[^,()]+(?:\(\))?)`)
	equals   = regexp.MustCompile(`^r(?:\.(\w+)|\["([^"]+)"\])\s*==\s*"([^"]*)"$`)
	lambda   = regexp.MustCompile(`^fn\s*:\s*\(\s*r\s*\)\s*=>\s*(?s:(.*))$`)
	joined   = regexp.MustCompile(`\s+(?:and|or)\s+`)
	span     = regexp.MustCompile(`(\d+)(ns|us|ms|mo|s|m|h|d|w|y)`)
	remark   = regexp.MustCompile(`(?m)(^|\s)//.*$`)
)

func instant(text string, now time.Time) (time.Time, error) {
	text = strings.TrimSpace(text)
	if text == "now()" {
		return now, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Unix(n, 0), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	rest := strings.TrimPrefix(text, "-")
	units := map[string]time.Duration{"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9, "d": 86400e9, "w": 604800e9, "mo": 2592000e9, "y": 31536000e9}
	var total time.Duration
	for _, part := range span.FindAllStringSubmatch(rest, -1) {
		n, _ := strconv.Atoi(part[1])
		total += time.Duration(n) * units[part[2]]
	}
	if total == 0 || span.ReplaceAllString(rest, "") != "" {
		return now, fmt.Errorf("invalid time %q", text)
	}
	if rest != text {
		total = -total
	}
	return now.Add(total), nil
}

func parse(flux string) (*pipe, error) {
	now := time.Now()
	p := &pipe{stop: now, tags: map[string][]string{}, limit: -1}
	for i, step := range strings.Split(remark.ReplaceAllString(flux, ""), "|>") {
		call := callOf.FindStringSubmatch(strings.TrimSpace(step))
		if call == nil {
			return nil, fmt.Errorf("image hors ligne de TP Docker : « %s » n'est pas compris", strings.TrimSpace(step))
		}
		args := map[string]string{}
		for _, a := range argument.FindAllStringSubmatch(call[2], -1) {
			args[a[1]] = strings.TrimSpace(a[2])
		}
		var err error
		switch {
		case i == 0 && call[1] == "from":
			p.bucket = strings.Trim(args["bucket"], `"`)
		case call[1] == "range":
			if p.start, err = instant(args["start"], now); err == nil && args["stop"] != "" {
				p.stop, err = instant(args["stop"], now)
			}
		case call[1] == "filter":
			err = p.filter(strings.TrimSpace(call[2]))
		case call[1] == "limit":
			p.limit, err = strconv.Atoi(args["n"])
		case call[1] == "last":
			p.last = true
		case call[1] == "count":
			p.count = true
		case call[1] == "yield", call[1] == "sort":
		default:
			err = fmt.Errorf("image hors ligne de TP Docker : la fonction « %s » n'y est pas (from, range, filter, limit, last, count)", call[1])
		}
		if err != nil {
			return nil, err
		}
	}
	if p.bucket == "" || p.start.IsZero() {
		return nil, fmt.Errorf("cannot submit unbounded read to %q; try bounding 'from' with a call to 'range'", p.bucket)
	}
	return p, nil
}

func (p *pipe) filter(text string) error {
	fn := lambda.FindStringSubmatch(text)
	if fn == nil {
		return fmt.Errorf("image hors ligne de TP Docker : filtre non compris « %s »", text)
	}
	for _, one := range joined.Split(strings.NewReplacer("(", "", ")", "").Replace(fn[1]), -1) {
		m := equals.FindStringSubmatch(strings.TrimSpace(one))
		if m == nil {
			return fmt.Errorf("image hors ligne de TP Docker : filtre non compris « %s » (seulement r.nom == \"valeur\")", one)
		}
		switch key := m[1] + m[2]; key {
		case "_measurement":
			p.measures = append(p.measures, m[3])
		case "_field":
			p.fields = append(p.fields, m[3])
		default:
			p.tags[key] = append(p.tags[key], m[3])
		}
	}
	return nil
}

type series struct {
	Name    string
	Tags    map[string]string
	Columns []string
	Values  [][]any
}

func (p *pipe) read(database string) ([]series, error) {
	form := url.Values{"db": {database}, "q": {fmt.Sprintf("SELECT * FROM /.*/ WHERE time >= %d AND time < %d GROUP BY *", p.start.UnixNano(), p.stop.UnixNano())}}
	said, err := behind.PostForm(backend+"/query", form)
	if err != nil {
		return nil, err
	}
	defer said.Body.Close()
	var out struct {
		Results []struct {
			Series []series
			Error  string
		}
	}
	dec := json.NewDecoder(said.Body)
	dec.UseNumber()
	if err := dec.Decode(&out); err != nil {
		return nil, err
	}
	if len(out.Results) == 0 || out.Results[0].Error != "" {
		return nil, fmt.Errorf("%v", out)
	}
	return slices.DeleteFunc(out.Results[0].Series, func(s series) bool {
		if len(p.measures) > 0 && !slices.Contains(p.measures, s.Name) {
			return true
		}
		for key, values := range p.tags {
			if !slices.Contains(values, s.Tags[key]) {
				return true
			}
		}
		return false
	}), nil
}

func (a *api) query(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	flux := string(text)
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/vnd.flux" {
		var in struct{ Query string }
		if err := json.Unmarshal(text, &in); err != nil {
			refuse(w, 400, "invalid", err.Error())
			return
		}
		flux = in.Query
	}
	p, err := parse(flux)
	if err != nil {
		refuse(w, 400, "invalid", err.Error())
		return
	}
	bucket := a.state.bucket(p.bucket)
	if bucket == nil {
		refuse(w, 404, "not found", fmt.Sprintf("failed to initialize execute state: could not find bucket %q", p.bucket))
		return
	}
	found, err := p.read(bucket.ID)
	if err != nil {
		refuse(w, 503, "unavailable", err.Error())
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	p.print(w, found)
}

// print writes annotated CSV: one table for each series and field.
func (p *pipe) print(w io.Writer, found []series) {
	table := 0
	for _, s := range found {
		var tags, names []string
		for name := range s.Tags {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			tags = append(tags, s.Tags[name])
		}
		for i, field := range s.Columns {
			if i == 0 || (len(p.fields) > 0 && !slices.Contains(p.fields, field)) {
				continue
			}
			var rows [][2]any
			kind := "double"
			for _, v := range s.Values {
				switch v[i].(type) {
				case nil:
					continue
				case string:
					kind = "string"
				case bool:
					kind = "boolean"
				}
				rows = append(rows, [2]any{v[0], v[i]})
			}
			if len(rows) == 0 {
				continue
			}
			switch {
			case p.count:
				kind, rows = "long", [][2]any{{p.stop.UTC().Format(time.RFC3339Nano), len(rows)}}
			case p.last:
				rows = rows[len(rows)-1:]
			case p.limit >= 0 && len(rows) > p.limit:
				rows = rows[:p.limit]
			}
			extra := strings.Repeat(",string", len(names))
			fmt.Fprintf(w, "#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,%s,string,string%s\r\n", kind, extra)
			fmt.Fprintf(w, "#group,false,false,true,true,false,false,true,true%s\r\n", strings.Repeat(",true", len(names)))
			fmt.Fprintf(w, "#default,_result,,,,,,,%s\r\n", strings.Repeat(",", len(names)))
			fmt.Fprintf(w, ",result,table,_start,_stop,_time,_value,_field,_measurement%s\r\n", prefixed(names))
			for _, row := range rows {
				fmt.Fprintf(w, ",,%d,%s,%s,%v,%v,%s,%s%s\r\n", table, p.start.UTC().Format(time.RFC3339Nano), p.stop.UTC().Format(time.RFC3339Nano), row[0], row[1], field, s.Name, prefixed(tags))
			}
			table++
			fmt.Fprint(w, "\r\n")
		}
	}
}

func prefixed(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return "," + strings.Join(list, ",")
}
