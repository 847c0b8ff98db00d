import bisect, json, math, os, pathlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from psi import indice
M = json.loads(pathlib.Path("/modele/modele.json").read_text()); V = M["variables"]
SEUIL = json.loads(pathlib.Path("config/seuil.json").read_text())["seuil"]
REF = pathlib.Path("/app/etat/ref.json")
class Refus(Exception): pass
def trans(o):
    if not isinstance(o, dict): raise Refus("objet")
    r = {}
    for n in V:
        x = o.get(n)
        if type(x) not in (int, float) or not math.isfinite(x): raise Refus(n)
        r[n] = x
    return r
def contrib(t): return {n: v["poids"] * ((t[n] - v["moyenne"]) / v["ecart"]) for n, v in V.items()}
def score(p):
    x = max(-700.0, min(700.0, M["base"] + sum(p.values())))
    return 1 / (1 + math.exp(-x))
def lot(o):
    if not isinstance(o, dict) or not isinstance(o.get("transactions"), list) or not o["transactions"]: raise Refus("liste")
    return [trans(t) for t in o["transactions"]]
def ref(): return json.loads((REF if REF.exists() else pathlib.Path("/modele/reference.json")).read_text())
def tr(b, xs):
    c = [0] * (len(b) + 1)
    for x in xs: c[bisect.bisect_right(b, x)] += 1
    return [k / len(xs) for k in c]
def predict(o): s = score(contrib(trans(o))); return 200, {"score": s, "fraude": s >= SEUIL}
def explain(o):
    p = contrib(trans(o)); return 200, {"score": round(score(p), 6), "base": round(M["base"], 6), "contributions": {n: round(x, 6) for n, x in p.items()}}
def baseline(o):
    ts = lot(o); r = {"effectif": len(ts), "variables": {}}
    for n in V:
        xs = sorted(t[n] for t in ts); b = [xs[len(xs) * d // 10] for d in range(1, 10)]
        r["variables"][n] = {"bornes": b, "parts": tr(b, xs)}
    tmp = REF.with_suffix(".neuf"); tmp.write_text(json.dumps(r)); tmp.replace(REF)
    return 202, {"effectif": r["effectif"]}
def drift(o):
    ts = lot(o); r = ref()["variables"]
    p = {n: indice(r[n]["parts"], tr(r[n]["bornes"], [t[n] for t in ts])) for n in V}
    return 200, {"psi": p, "derive": any(x > 0.25 for x in p.values())}
G = {"/health": lambda: (200, {"status": "healthy"}), "/baseline": lambda: (200, {"effectif": ref()["effectif"]})}
Q = {"/predict": predict, "/explain": explain, "/baseline": baseline, "/drift": drift}
class H(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def rend(self, code, o):
        c = json.dumps(o).encode(); self.send_response(code)
        self.send_header("Content-Type", "application/json"); self.send_header("Content-Length", str(len(c))); self.end_headers(); self.wfile.write(c)
    def do_GET(self):
        f = G.get(self.path.split("?")[0]); self.rend(*(f() if f else (404, {})))
    def do_POST(self):
        c = self.rfile.read(int(self.headers.get("Content-Length") or 0)); f = Q.get(self.path.split("?")[0])
        if not f: return self.rend(404, {})
        try: self.rend(*f(json.loads(c)))
        except (Refus, ValueError) as e: self.rend(422, {"erreur": str(e)})
    def log_message(self, f, *a): print(f % a, flush=True)
ThreadingHTTPServer(("0.0.0.0", 5000), H).serve_forever()
