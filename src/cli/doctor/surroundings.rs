//! What is around: names of hosts, and systemd.

use std::{collections::BTreeSet, net::ToSocketAddrs, path::Path, process::Command, thread};

use url::Url;

use super::Finding;
use crate::config::Config;

/// Names asked for at once: a resolver that does not answer takes some seconds for each.
const AT_ONCE: usize = 16;
/// So many are named; the rest is a number.
const NAMED: usize = 5;

pub(super) fn look(config: &Config) -> Vec<Finding> {
    vec![hosts(config), unit()]
}

fn hosts(config: &Config) -> Finding {
    if config.fetch.proxy.is_some() {
        return Finding::skipped("hosts", "the proxy resolves their names");
    }
    let feeds = config.feeds.iter().filter(|feed| feed.enabled);
    let hosts: BTreeSet<(String, u16)> = feeds
        .filter_map(|feed| {
            let url = Url::parse(feed.url.as_str()).ok()?;
            Some((url.host_str()?.to_owned(), url.port_or_known_default()?))
        })
        .collect();
    let hosts: Vec<_> = hosts.into_iter().collect();
    judge_hosts(hosts.len(), &unresolved(&hosts))
}

/// The names that lead nowhere, and why.
fn unresolved(hosts: &[(String, u16)]) -> Vec<String> {
    let share = hosts.len().div_ceil(AT_ONCE).max(1);
    let resolve = |(host, port): &(String, u16)| match (host.as_str(), *port).to_socket_addrs() {
        Ok(mut addresses) => addresses.next().is_none().then(|| format!("{host}: no address")),
        Err(error) => Some(format!("{host}: {error}")),
    };
    thread::scope(|scope| {
        let shares: Vec<_> = hosts
            .chunks(share)
            .map(|hosts| scope.spawn(move || hosts.iter().filter_map(resolve).collect::<Vec<_>>()))
            .collect();
        shares.into_iter().flat_map(|share| share.join().unwrap_or_default()).collect()
    })
}

fn judge_hosts(all: usize, lost: &[String]) -> Finding {
    if all == 0 {
        return Finding::ok("hosts", "no feed comes from the network");
    }
    if lost.is_empty() {
        return Finding::ok("hosts", format!("the names of all {all} hosts resolve"));
    }
    let mut named = lost[..lost.len().min(NAMED)].join("; ");
    if lost.len() > NAMED {
        named += &format!("; and {} more", lost.len() - NAMED);
    }
    let message = format!("{} of {all} hosts do not resolve: {named}", lost.len());
    if lost.len() == all {
        let remedy = "look at /etc/resolv.conf and at the network: no name resolves at all";
        return Finding::error("hosts", message, remedy);
    }
    let remedy = "correct the url of these feeds, or disable them until their hosts are back";
    Finding::warning("hosts", message, remedy)
}

fn unit() -> Finding {
    if !Path::new("/run/systemd/system").exists() {
        return Finding::skipped("unit", "systemd does not run here");
    }
    let properties = "--property=LoadState,UnitFileState,ActiveState,Result,NRestarts";
    let shown = Command::new("systemctl").args(["show", properties, "newsfold.service"]).output();
    match shown {
        Ok(output) if output.status.success() => {
            judge_unit(&String::from_utf8_lossy(&output.stdout))
        }
        _ => Finding::skipped("unit", "systemctl does not answer"),
    }
}

fn judge_unit(properties: &str) -> Finding {
    let value = |name: &str| {
        let line = properties.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_default().to_owned()
    };
    let (active, enabled) = (value("ActiveState"), value("UnitFileState"));
    let message =
        format!("newsfold.service is {active}, {enabled}, restarts {}", value("NRestarts"));
    if value("LoadState") == "not-found" {
        return Finding::skipped("unit", "newsfold.service is not installed");
    }
    if active == "failed" {
        let remedy = "journalctl -u newsfold -n 50 says why; then: systemctl restart newsfold";
        return Finding::error("unit", format!("{message}: {}", value("Result")), remedy);
    }
    if active != "active" {
        return Finding::warning("unit", message, "systemctl start newsfold");
    }
    if enabled != "enabled" {
        return Finding::warning(
            "unit",
            message,
            "systemctl enable newsfold, or it is gone after a boot",
        );
    }
    Finding::ok("unit", message)
}

#[cfg(test)]
mod tests {
    use super::{
        super::Level::{Error, Ok as Fine, Skipped, Warning},
        *,
    };

    #[test]
    fn hosts_that_do_not_resolve() {
        let lost = |count: usize| (0..count).map(|n| format!("h{n}: gone")).collect::<Vec<_>>();
        assert_eq!(judge_hosts(9, &[]).level, Fine);
        assert_eq!(judge_hosts(0, &[]).level, Fine);
        let some = judge_hosts(9, &lost(7));
        assert_eq!(some.level, Warning);
        assert!(some.message.ends_with("h4: gone; and 2 more"), "{}", some.message);
        assert_eq!(judge_hosts(2, &lost(2)).level, Error);
        assert!(unresolved(&[("127.0.0.1".to_owned(), 80)]).is_empty());
        let nowhere =
            unresolved(&[("127.0.0.1".to_owned(), 80), ("no.such.invalid".to_owned(), 80)]);
        assert_eq!(nowhere.len(), 1, "{nowhere:?}");
    }

    #[test]
    fn states_of_the_unit() {
        for (properties, level) in [
            ("LoadState=not-found\nActiveState=inactive", Skipped),
            ("LoadState=loaded\nActiveState=failed\nUnitFileState=enabled\nResult=watchdog", Error),
            ("LoadState=loaded\nActiveState=inactive\nUnitFileState=enabled", Warning),
            ("LoadState=loaded\nActiveState=active\nUnitFileState=disabled", Warning),
            ("LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nNRestarts=0", Fine),
        ] {
            assert_eq!(judge_unit(properties).level, level, "{properties}");
        }
    }
}
