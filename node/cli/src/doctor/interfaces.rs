//! Network interfaces: which one leads to others, which are bridges or tunnels, whether there is IPv6. Linux only.

use std::path::Path;

use super::finding::Finding;

/// Most interfaces named in a sentence.
const NAMED: usize = 6;

pub(super) fn findings() -> Vec<Finding> {
    let Ok(entries) = std::fs::read_dir("/sys/class/net") else {
        return vec![Finding::unmeasured("interfaces", "network interfaces")];
    };
    let mut names: Vec<String> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let routes = (default_routes(&read("/proc/net/route")), default_routes6(&read("/proc/net/ipv6_route")));
    let mut findings = vec![route(&routes.0, &routes.1), ipv6(&read("/proc/net/if_inet6"), &routes.1)];
    let of_kind = |kind: fn(&Path) -> bool| {
        names.iter().filter(|name| kind(&Path::new("/sys/class/net").join(name))).cloned().collect::<Vec<String>>()
    };
    let (bridges, tunnels) = (of_kind(is_bridge), of_kind(is_tunnel));
    if !bridges.is_empty() {
        let found = format!(
            "there are bridges ({}): their addresses are for containers and virtual machines here",
            list(&bridges)
        );
        findings.push(Finding::note("interfaces", found));
    }
    if !tunnels.is_empty() {
        let through = tunnels.iter().any(|name| routes.0.contains(name) || routes.1.contains(name));
        let found = format!("there are tunnels, as of a VPN ({})", list(&tunnels));
        findings.push(match through {
            true => Finding::warning(
                "interfaces",
                format!("{found}, and connections to others go through one"),
                "if peers outside the VPN do not reach this node, let its address or port past the VPN",
            ),
            false => Finding::note("interfaces", found),
        });
    }
    findings
}

fn route(v4: &[String], v6: &[String]) -> Finding {
    match (v4, v6) {
        ([], []) => Finding::warning(
            "interfaces",
            "there is no default route: only peers on networks of this machine can be reached",
            "connect this machine to a network, if others are elsewhere",
        ),
        ([], v6) => Finding::ok("interfaces", format!("others are reached by IPv6 only, through {}", list(v6))),
        (v4, _) => Finding::ok("interfaces", format!("others are reached through {}", list(v4))),
    }
}

fn ipv6(addresses: &str, routes: &[String]) -> Finding {
    let global = global_ipv6(addresses);
    match (global.is_empty(), routes.is_empty()) {
        (true, _) => Finding::note("ipv6", "there is no global IPv6 address, so peers are reached by IPv4 only"),
        (false, true) => {
            Finding::note("ipv6", format!("{} has an IPv6 address, but no IPv6 route leads to others", list(&global)))
        }
        (false, false) => Finding::ok("ipv6", format!("there is IPv6, at {}", list(&global))),
    }
}

fn list(names: &[String]) -> String {
    let mut words = names.iter().take(NAMED).cloned().collect::<Vec<String>>().join(", ");
    if names.len() > NAMED {
        words.push_str(&format!(" and {} more", names.len() - NAMED));
    }
    words
}

/// Interfaces of the IPv4 default routes in /proc/net/route: destination and mask are zero.
fn default_routes(text: &str) -> Vec<String> {
    let fields = text.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<&str>>());
    let is_default = |fields: &Vec<&str>| fields.get(1) == Some(&"00000000") && fields.get(7) == Some(&"00000000");
    distinct(fields.filter(is_default).filter_map(|fields| fields.first().map(|name| (*name).to_owned())))
}

/// The same of /proc/net/ipv6_route; a route of the interface lo is the one that refuses.
fn default_routes6(text: &str) -> Vec<String> {
    let fields = text.lines().map(|line| line.split_whitespace().collect::<Vec<&str>>());
    let is_default = |fields: &Vec<&str>| {
        fields.first().is_some_and(|destination| destination.bytes().all(|digit| digit == b'0'))
            && fields.get(1) == Some(&"00")
    };
    let named = fields.filter(is_default).filter_map(|fields| fields.last().map(|name| (*name).to_owned()));
    distinct(named.filter(|name| name != "lo"))
}

/// Interfaces with a global address in /proc/net/if_inet6: scope 00. Unique local ones (fc00::/7) lead
/// nowhere by themselves.
fn global_ipv6(text: &str) -> Vec<String> {
    let fields = text.lines().map(|line| line.split_whitespace().collect::<Vec<&str>>());
    let is_global = |fields: &Vec<&str>| {
        let address = fields.first().copied().unwrap_or_default();
        fields.get(3) == Some(&"00") && !address.starts_with("fc") && !address.starts_with("fd")
    };
    distinct(fields.filter(is_global).filter_map(|fields| fields.last().map(|name| (*name).to_owned())))
}

fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    names.for_each(|name| {
        if !all.contains(&name) {
            all.push(name)
        }
    });
    all
}

fn is_bridge(interface: &Path) -> bool {
    interface.join("bridge").exists()
}

/// A tun or tap device, or WireGuard.
fn is_tunnel(interface: &Path) -> bool {
    let kind = std::fs::read_to_string(interface.join("uevent")).unwrap_or_default();
    interface.join("tun_flags").exists() || kind.lines().any(|line| line == "DEVTYPE=wireguard")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_of_the_system_are_read() {
        let text = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n\
                    eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                    eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        assert_eq!(default_routes(text), ["eth0"]);
        let zero = "0".repeat(32);
        let text = format!(
            "{zero} 00 {zero} 00 fe800000000000000000000000000001 00000400 1 0 00000003 wlan0\n\
             {zero} 00 {zero} 00 {zero} ffffffff 1 0 00200200 lo\n"
        );
        assert_eq!(default_routes6(&text), ["wlan0"]);
        assert!(default_routes("").is_empty() && default_routes6("").is_empty());
    }

    #[test]
    fn only_global_addresses_count() {
        let text = "00000000000000000000000000000001 01 80 10 80 lo\n\
                    fe800000000000000000000000000001 02 40 20 80 eth0\n\
                    fd000000000000000000000000000001 02 40 00 80 docker0\n\
                    20010db8000000000000000000000001 02 40 00 80 eth0\n";
        assert_eq!(global_ipv6(text), ["eth0"]);
    }
}
