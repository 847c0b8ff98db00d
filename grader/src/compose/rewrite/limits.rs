//! Limits of a container: kept when smaller, set when absent.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{REPLICAS, Work, replicas};

/// Longest wait for a container that was asked to stop.
const STOP: Duration = Duration::from_secs(30);

/// Bytes of `512m`, `1g`, `52428800`…
pub(in crate::compose) fn bytes(value: &Value) -> Option<u64> {
    if let Some(n) = value.as_u64() {
        return Some(n);
    }
    let text = value.as_str()?.trim().to_ascii_lowercase();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    let unit = match text[end..].trim().trim_end_matches('b').trim_end_matches('i') {
        "" => 1.0,
        "k" => 1024.0,
        "m" => 1024.0 * 1024.0,
        "g" => 1024.0 * 1024.0 * 1024.0,
        "t" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    let total = number * unit;
    if !total.is_finite() || total < 0.0 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked just above")]
    Some(total as u64)
}

/// Caps memory, processes and copies of a service already copied to `out`.
pub(super) fn apply(work: &mut Work<'_>, name: &str, source: &Value, out: &mut Map<String, Value>) {
    if let Some(cap) = work.plan.memory {
        cap_memory(work, name, cap, out);
    }
    cap_processors(work, name, out);
    cap_stop(work, name, out);
    let cap = work.plan.pids;
    let limits = out.get_mut("deploy").and_then(|d| d.get_mut("resources")).and_then(|r| r.get_mut("limits"));
    let pids =
        |value: Option<&Value>| value.and_then(Value::as_u64).filter(|n| *n > 0).map_or(cap, |n| n.min(cap));
    // Compose refuses two limits that differ, an absent one in a `limits` that is there included.
    if let Some(limits) = limits.and_then(Value::as_object_mut) {
        let kept = pids(limits.get("pids"));
        limits.insert("pids".into(), kept.into());
        if out.contains_key("pids_limit") {
            out.insert("pids_limit".into(), kept.into());
        }
    } else {
        let kept = pids(out.get("pids_limit"));
        out.insert("pids_limit".into(), kept.into());
    }
    let asked = replicas(source);
    if asked > REPLICAS {
        if out.contains_key("scale") {
            out.insert("scale".into(), REPLICAS.into());
        }
        if let Some(count) = out.get_mut("deploy").and_then(|d| d.get_mut("replicas")) {
            *count = REPLICAS.into();
        }
        work.change(
            &["services", name, "deploy", "replicas"],
            format!("{asked} copies ramenées à {REPLICAS}"),
        );
    }
}

/// The engine refuses to start a container that asks for more processors than there are.
fn cap_processors(work: &mut Work<'_>, name: &str, out: &mut Map<String, Value>) {
    let cap = work.plan.cpus;
    let asked = |value: Option<&Value>| {
        let value = value?;
        value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
    };
    let mut capped = false;
    if asked(out.get("cpus")).is_some_and(|cpus| cpus > cap) {
        out.insert("cpus".into(), json!(cap));
        capped = true;
    }
    for part in ["limits", "reservations"] {
        let resources = out.get_mut("deploy").and_then(|d| d.get_mut("resources"));
        let amounts = resources.and_then(|r| r.get_mut(part)).and_then(Value::as_object_mut);
        if let Some(amounts) = amounts
            && asked(amounts.get("cpus")).is_some_and(|cpus| cpus > cap)
        {
            amounts.insert("cpus".into(), cap.to_string().into());
            capped = true;
        }
    }
    if capped {
        work.change(
            &["services", name, "cpus"],
            format!("processeurs limités à {cap}, ceux de cette machine"),
        );
    }
}

/// A container that is deaf to the request to stop must not be waited for.
fn cap_stop(work: &mut Work<'_>, name: &str, out: &mut Map<String, Value>) {
    let asked = out.get("stop_grace_period").and_then(Value::as_str).and_then(super::health::duration);
    if asked.is_some_and(|asked| asked > STOP) {
        out.insert("stop_grace_period".into(), format!("{}s", STOP.as_secs()).into());
        work.change(
            &["services", name, "stop_grace_period"],
            format!("arrêt attendu {} s au plus", STOP.as_secs()),
        );
    }
}

fn cap_memory(work: &mut Work<'_>, name: &str, cap: u64, out: &mut Map<String, Value>) {
    let shown = format!("mémoire limitée à {} Mio", cap >> 20);
    let mut deploy = out.get_mut("deploy").and_then(|d| d.get_mut("resources"));
    let limits = deploy.as_mut().and_then(|r| r.get_mut("limits")).and_then(Value::as_object_mut);
    let own = limits.as_ref().and_then(|l| l.get("memory")).and_then(bytes).filter(|n| *n > 0);
    if let Some(limits) = limits {
        if own.is_none_or(|own| own > cap) {
            limits.insert("memory".into(), cap.to_string().into());
            if out.contains_key("mem_limit") {
                out.insert("mem_limit".into(), cap.to_string().into());
            }
            cap_reservation(cap, out);
            work.change(&["services", name, "deploy", "resources"], shown);
        }
        return;
    }
    let own = out.get("mem_limit").and_then(bytes).filter(|n| *n > 0);
    if own.is_none_or(|own| own > cap) {
        out.insert("mem_limit".into(), cap.to_string().into());
        cap_reservation(cap, out);
        work.change(&["services", name, "mem_limit"], shown);
    }
}

/// A reservation above the limit would stop the container from starting.
fn cap_reservation(cap: u64, out: &mut Map<String, Value>) {
    if out.get("mem_reservation").and_then(bytes).is_some_and(|n| n > cap) {
        out.insert("mem_reservation".into(), cap.to_string().into());
    }
    let reserved = out
        .get_mut("deploy")
        .and_then(|d| d.get_mut("resources"))
        .and_then(|r| r.get_mut("reservations"))
        .and_then(|r| r.get_mut("memory"));
    if let Some(reserved) = reserved
        && bytes(reserved).is_some_and(|n| n > cap)
    {
        *reserved = json!(cap.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(bytes(&json!("50M")), Some(50 << 20));
        assert_eq!(bytes(&json!("1.5g")), Some(3 << 29));
        assert_eq!(bytes(&json!("52428800")), Some(52_428_800));
        assert_eq!(bytes(&json!(1024)), Some(1024));
        assert_eq!(bytes(&json!("lots")), None);
    }
}
