//! The decision tables of `dns`: pure functions of what the resolver said.

use std::net::IpAddr;

/// One answer about a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// Addresses, at least one.
    Records(Vec<IpAddr>),
    /// The resolver said that there is none (NXDOMAIN, SERVFAIL, empty…).
    Nothing,
    /// The resolver said nothing in time.
    Silence,
    /// No resolver can be reached from there.
    Unreachable,
}

/// Judgement of a name that must resolve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Present {
    /// Every answer held only expected addresses.
    Right,
    /// These addresses are not the service's.
    Foreign(Vec<IpAddr>),
    /// The name never resolves.
    Missing,
    /// The resolver answers at times only.
    Unsure,
}

/// Judgement of a name that must not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Absent {
    /// It does not resolve, and both controls hold.
    Gone,
    /// It resolves to these addresses of the stack.
    Resolves(Vec<IpAddr>),
    /// Nothing resolves from there, not even its own name.
    NoResolver,
    /// The name does not resolve where it should.
    ControlDead,
    /// The resolver answers at times only.
    Unsure,
}

/// Every address seen, once.
fn union(looks: &[Look]) -> Vec<IpAddr> {
    let mut all = Vec::new();
    for look in looks {
        if let Look::Records(records) = look {
            all.extend(records.iter().filter(|ip| !all.contains(*ip)).copied().collect::<Vec<_>>());
        }
    }
    all
}

fn resolves(looks: &[Look]) -> bool {
    looks.iter().any(|l| matches!(l, Look::Records(_)))
}

/// Judges a name that must resolve to `expected`.
pub fn present(looks: &[Look], expected: &[IpAddr]) -> Present {
    let strangers: Vec<IpAddr> = union(looks).into_iter().filter(|ip| !expected.contains(ip)).collect();
    if !strangers.is_empty() {
        return Present::Foreign(strangers);
    }
    let good = looks.iter().filter(|l| matches!(l, Look::Records(_))).count();
    let silent = looks.iter().filter(|l| **l == Look::Silence).count();
    if good > 0 && good + silent == looks.len() {
        // A lost answer among right ones says nothing against the name.
        return if good > silent { Present::Right } else { Present::Unsure };
    }
    if good > 0 || (silent == looks.len() && !expected.is_empty()) {
        Present::Unsure
    } else {
        Present::Missing
    }
}

/// Judges a name that must not exist. `ours` tells the addresses of the stack: what an outside
/// resolver invents for an unknown name is not one of them.
pub fn absent(looks: &[Look], own: &[Look], there: &[Look], ours: &dyn Fn(&IpAddr) -> bool) -> Absent {
    let found: Vec<IpAddr> = union(looks).into_iter().filter(ours).collect();
    if !found.is_empty() {
        return Absent::Resolves(found);
    }
    if !resolves(own) {
        return if own.contains(&Look::Silence) { Absent::Unsure } else { Absent::NoResolver };
    }
    if !resolves(there) {
        return Absent::ControlDead;
    }
    if looks.contains(&Look::Unreachable) || looks.is_empty() { Absent::Unsure } else { Absent::Gone }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn any_look() -> impl Strategy<Value = Look> {
        prop_oneof![
            proptest::collection::vec(0u8..6, 1..3)
                .prop_map(|v| Look::Records(v.into_iter().map(ip).collect())),
            Just(Look::Nothing),
            Just(Look::Silence),
            Just(Look::Unreachable),
        ]
    }

    fn looks() -> impl Strategy<Value = Vec<Look>> {
        proptest::collection::vec(any_look(), 1..5)
    }

    proptest! {
        /// A pass means at least one address, and only expected ones.
        #[test]
        fn right_is_right(seen in looks(), expected in proptest::collection::vec((0u8..6).prop_map(ip), 0..3)) {
            let all = union(&seen);
            match present(&seen, &expected) {
                Present::Right => {
                    prop_assert!(!all.is_empty());
                    prop_assert!(all.iter().all(|a| expected.contains(a)));
                    prop_assert!(!seen.contains(&Look::Nothing));
                }
                Present::Foreign(strangers) => prop_assert!(strangers.iter().all(|a| !expected.contains(a))),
                Present::Missing => prop_assert!(all.is_empty()),
                Present::Unsure => {}
            }
        }

        /// A pass of the negative check always rests on two positive controls.
        #[test]
        fn gone_has_both_controls(seen in looks(), own in looks(), there in looks()) {
            let ours = |a: &IpAddr| *a != ip(5);
            match absent(&seen, &own, &there, &ours) {
                Absent::Gone => {
                    prop_assert!(resolves(&own) && resolves(&there));
                    prop_assert!(union(&seen).iter().all(|a| !ours(a)));
                }
                Absent::Resolves(found) => prop_assert!(found.iter().all(ours)),
                Absent::NoResolver | Absent::ControlDead | Absent::Unsure => {}
            }
        }
    }

    #[test]
    fn a_stranger_seen_once_is_enough() {
        let seen = [Look::Records(vec![ip(1)]), Look::Records(vec![ip(2), ip(1)])];
        assert_eq!(present(&seen, &[ip(1)]), Present::Foreign(vec![ip(2)]));
    }

    #[test]
    fn silence_alone_is_never_a_pass() {
        let yes = [Look::Records(vec![ip(1)])];
        assert_eq!(absent(&[Look::Silence], &[Look::Silence], &yes, &|_| true), Absent::Unsure);
        assert_eq!(absent(&[Look::Silence], &yes, &yes, &|_| true), Absent::Gone);
        assert_eq!(absent(&[Look::Nothing], &[Look::Unreachable], &yes, &|_| true), Absent::NoResolver);
    }
}
