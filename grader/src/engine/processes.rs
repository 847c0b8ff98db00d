//! Which processes of a container are its own.

use std::collections::HashSet;

use crate::check::deep::Process;

/// What a container runs by itself, out of lines « pid, parent, uid, command »: not what is run in it
/// meanwhile, as its health check is.
pub(super) fn beneath(main: i64, rows: &[Vec<String>]) -> Vec<Process> {
    let read = |row: &'_ Vec<String>| -> Option<(i64, i64, Process)> {
        let number = |at: usize| row.get(at)?.trim().parse::<i64>().ok();
        let process = Process {
            uid: u32::try_from(number(2)?).ok()?,
            command: row.get(3).cloned().unwrap_or_default(),
        };
        Some((number(0)?, number(1)?, process))
    };
    let mut left: Vec<(i64, i64, Process)> = rows.iter().filter_map(read).collect();
    let mut family = HashSet::from([main]);
    let mut found = Vec::new();
    loop {
        let (ours, others): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|(pid, parent, _)| family.contains(pid) || family.contains(parent));
        if ours.is_empty() {
            return found;
        }
        for (pid, _, process) in ours {
            family.insert(pid);
            found.push(process);
        }
        left = others;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_health_check_is_not_of_the_family() {
        let row = |text: &str| text.splitn(4, ' ').map(str::to_owned).collect::<Vec<String>>();
        let rows = [
            "70 1 0 sh -c wget",
            "71 70 0 wget",
            "50 1 1000 gunicorn",
            "52 51 1000 helper",
            "51 50 1000 worker",
        ];
        let found = beneath(50, &rows.map(row));
        let commands: Vec<&str> = found.iter().map(|p| p.command.as_str()).collect();
        assert_eq!(commands, ["gunicorn", "worker", "helper"]);
        assert!(found.iter().all(|p| p.uid == 1000));
    }
}
