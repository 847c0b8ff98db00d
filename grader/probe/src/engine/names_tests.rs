use super::*;
use crate::engine::testing::{labels, view};
use serde_json::json;

fn names() -> Names {
    Names { view: view() }
}

fn summary(project: &str, service: &str) -> Value {
    json!({
        "Id": "a1".repeat(32), "Names": [format!("/{project}-{service}-1")], "Image": "tp-run-0/s-api:copie",
        "ImageID": "sha256:0", "Command": "x", "Labels": labels(project, service), "State": "running",
        "HostConfig": {"NetworkMode": "tp0a_backend"}, "SizeRw": 1,
        "NetworkSettings": {"Networks": {
            "tp0a_backend": {"IPAddress": "198.18.0.2", "Aliases": null},
            "tp0a_tp_relay": {"IPAddress": "198.18.9.2"},
        }},
        "Mounts": [
            {"Type": "volume", "Name": "tp0a_pg", "Source": "/var/lib/docker/volumes/tp0a_pg/_data", "Destination": "/d", "Driver": "local", "RW": true},
            {"Type": "volume", "Name": "tp0a_tp-engine", "Source": "/var/lib/docker/x", "Destination": "/var/run/docker.sock", "Driver": "local"},
            {"Type": "bind", "Source": "/tmp/tp-docker-0/session/copie/f", "Destination": "/f"},
        ],
    })
}

#[test]
fn a_list_shows_the_run_as_the_student_sees_it() {
    let (who, shown) = names().summary(&summary("tp0a", "api")).expect("shown");
    assert_eq!(who, Who { service: "api".into(), name: "lab-api-1".into() });
    assert_eq!(
        shown,
        json!({
            "Id": "a1".repeat(32), "Names": ["/lab-api-1"], "Image": "lab-api", "ImageID": "sha256:0", "Command": "x",
            "Labels": {
                "com.docker.compose.project": "lab", "com.docker.compose.service": "api",
                "com.docker.compose.container-number": "1", "traefik.enable": "true",
            },
            "State": "running", "HostConfig": {"NetworkMode": "lab_backend"},
            "NetworkSettings": {"Networks": {"lab_backend": {"IPAddress": "198.18.0.2", "Aliases": null}}},
            "Mounts": [
                {"Type": "volume", "Name": "lab_pg", "Source": "", "Destination": "/d", "Driver": "local", "RW": true},
                {"Type": "bind", "Source": "", "Destination": "/var/run/docker.sock"},
                {"Type": "bind", "Source": "", "Destination": "/f"},
            ],
        })
    );
    assert_eq!(names().summary(&summary("tp0a", "traefik")).expect("shown").1["Names"], json!(["/proxy"]));
}

#[test]
fn what_is_not_of_the_run_is_not_shown() {
    for (project, service) in [("other", "api"), ("lab", "api"), ("tp0a", "tp-relay-postgres"), ("tp0ab", "api")] {
        assert_eq!(names().summary(&summary(project, service)), None, "{project} {service}");
    }
    for labels in [json!(null), json!({}), json!({"com.docker.compose.project": "tp0a"})] {
        let mut one = summary("tp0a", "api");
        one["Labels"] = labels;
        assert_eq!(names().summary(&one), None);
    }
}

#[test]
fn a_container_shows_no_secret_and_no_path() {
    let seen = json!({
        "Id": "a1".repeat(32), "Name": "/tp0a-api-1", "Image": "sha256:0", "State": {"Status": "running", "Pid": 7},
        "LogPath": "/var/lib/docker/containers/x", "ResolvConfPath": "/var/lib/docker/x", "HostsPath": "/x",
        "GraphDriver": {"Data": {"UpperDir": "/var/lib/docker/overlay2/x"}}, "AppArmorProfile": "docker-default",
        "Config": {
            "Env": ["POSTGRES_PASSWORD=secret"], "Image": "tp-run-0/s-api:copie", "Labels": labels("tp0a", "api"),
            "Hostname": "a1a1", "ExposedPorts": {"5000/tcp": {}},
        },
        "HostConfig": {
            "NetworkMode": "tp0a_frontend", "Binds": ["/tmp/secret:/x"], "Mounts": [{"Source": "/tmp/secret"}],
            "CgroupParent": "/x", "Memory": 64, "LogConfig": {"Type": "local"}, "ContainerIDFile": "/x",
        },
        "NetworkSettings": {"SandboxKey": "/var/run/docker/netns/x", "Ports": {"5000/tcp": null}, "Networks": {
            "tp0a_frontend": {
                "NetworkID": "n", "IPAddress": "198.18.1.2", "DriverOpts": null, "Links": null,
                "Aliases": ["api", "lab-api-1"], "DNSNames": ["tp0a-api-1", "api", "lab-api-1", "a1a1a1a1a1a1"],
            },
        }},
    });
    let (_, shown) = names().container(&seen).expect("shown");
    let text = shown.to_string();
    for hidden in ["secret", "/var/lib", "/tmp", "netns", "tp0a", "tp-docker", "tp-run", "Env", "docker-default"] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
    assert_eq!(shown["Name"], "/lab-api-1");
    assert_eq!(shown["Config"]["Image"], "lab-api");
    assert_eq!(shown["HostConfig"], json!({"Memory": 64, "NetworkMode": "frontal"}));
    let end = &shown["NetworkSettings"]["Networks"]["frontal"];
    assert_eq!(end["DNSNames"], json!(["lab-api-1", "api", "a1a1a1a1a1a1"]));
    assert_eq!(end["IPAddress"], "198.18.1.2");
}

#[test]
fn networks_show_only_the_run() {
    let seen = json!({
        "Name": "tp0a_frontend", "Id": "f".repeat(64), "Driver": "bridge", "Labels": {"tp-docker.session": "0", "a": "b"},
        "IPAM": {"Config": [{"Subnet": "198.18.1.0/24"}]},
        "Containers": {"one": {"Name": "tp0a-api-1", "IPv4Address": "198.18.1.2/24"}, "probe": {"Name": "angry_probe"}},
    });
    let members = BTreeMap::from([("one".to_owned(), Who { service: "api".into(), name: "lab-api-1".into() })]);
    let shown = names().whole_network(&seen, &members).expect("shown");
    assert_eq!(shown["Name"], "frontal");
    assert_eq!(shown["Labels"], json!({"a": "b"}));
    assert_eq!(shown["Containers"], json!({"one": {"Name": "lab-api-1", "IPv4Address": "198.18.1.2/24"}}));
    assert_eq!(names().whole_network(&json!({"Name": "tp0a_tp_relay"}), &members), None);
    assert_eq!(names().whole_network(&json!({"Name": "bridge"}), &members), None);
    assert_eq!(names().network("bridge").as_deref(), Some("bridge"));
}

#[test]
fn images_have_the_students_names() {
    let tags = |tags: &[&str]| names().whole_image(&json!({"RepoTags": tags}))["RepoTags"].clone();
    assert_eq!(tags(&["tp-run-0/s-api:copie"]), json!(["lab-api:latest"]));
    assert_eq!(tags(&["redis:7-alpine", "tp-docker-offline/redis-7:0123"]), json!(["redis:7-alpine"]));
    let seen = json!({"Id": "sha256:0", "Config": {"Env": ["A=b"], "Cmd": ["x"]}, "GraphDriver": {"Data": "/x"}});
    assert_eq!(names().whole_image(&seen), json!({"Id": "sha256:0", "Config": {"Cmd": ["x"]}, "RepoTags": []}));
}

#[test]
fn events_are_translated_and_those_of_others_dropped() {
    let event = |project: &str, service: &str| {
        let mut attributes = labels(project, service);
        attributes["image"] = "tp-run-0/s-api:copie".into();
        attributes["name"] = format!("{project}-{service}-1").into();
        json!({"status": "start", "id": "a", "from": "tp-run-0/s-api:copie", "Type": "container", "Action": "start",
            "Actor": {"ID": "a", "Attributes": attributes}, "scope": "local", "time": 1, "timeNano": 1_000_000_000})
    };
    let shown = names().event(&event("tp0a", "api")).expect("shown");
    assert_eq!(shown["from"], "lab-api");
    assert_eq!(shown["Actor"]["Attributes"]["name"], "lab-api-1");
    assert_eq!(shown["Actor"]["Attributes"]["image"], "lab-api");
    assert!(!shown.to_string().contains("tp0a") && !shown.to_string().contains("/tmp"));
    assert_eq!(names().event(&event("other", "api")), None);
    assert_eq!(names().event(&event("tp0a", "tp-relay-postgres")), None);
    assert_eq!(names().event(&json!({"Type": "network", "Actor": {"Attributes": {"name": "tp0a_frontend"}}})), None);
}
