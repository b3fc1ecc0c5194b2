//! Bad links by the kernel: the queueing discipline netem on the interface of a container, set over netlink.
//!
//! Only the process that sets it needs a right (`NET_ADMIN`); whoever shares its network may look. Many kernels have no
//! netem; then [`shape`] says so, and nodes make their links bad themselves.

use std::io;

use thiserror::Error;

use crate::scenario::LinkSetup;

/// Why the kernel does not make links bad.
#[derive(Debug, Error)]
pub enum NetemError {
    /// It cannot.
    #[error("this kernel has no netem")]
    Missing,
    /// There is no such interface.
    #[error("there is no interface {name}")]
    Interface {
        /// Its name.
        name: String,
    },
    /// It does not want to.
    #[error("the kernel does not set netem: {0}")]
    Io(#[from] io::Error),
}

/// Makes what leaves an interface late, lossy and slow, in place of whatever did so before.
///
/// Delays are drawn evenly between the two bounds; loss is of single packets, each way counted alone.
///
/// # Errors
/// The kernel has no netem, there is no such interface, or this process has no right to it.
pub fn shape(interface: &str, links: &LinkSetup) -> Result<(), NetemError> {
    kernel::replace_root(interface, "netem", options(links))
}

/// Whether an interface has netem now.
///
/// # Errors
/// There is no such interface, or the kernel does not answer.
pub fn is_shaped(interface: &str) -> Result<bool, NetemError> {
    Ok(kernel::root_kind(interface)?.is_some_and(|kind| kind == "netem"))
}

/// Nanoseconds of a tick in which the kernel counts delays (`PSCHED_SHIFT`, `/proc/net/psched`).
const TICK: u128 = 64;
/// Packets that may wait; what `tc` takes where nothing is said.
const WAITING: u32 = 1000;
/// `TCA_NETEM_RATE`.
const RATE: u16 = 6;

/// `struct tc_netem_qopt` (delay, packets that may wait, loss, gap, duplicates, jitter), then the rate as an attribute.
fn options(links: &LinkSetup) -> Vec<u8> {
    let ticks = |nanoseconds: u128| u32::try_from(nanoseconds / TICK).unwrap_or(u32::MAX);
    let (least, most) = links.delay.map_or((0, 0), |(least, most)| (least.0.as_nanos(), most.0.as_nanos()));
    let (delay, jitter) = (ticks(least.midpoint(most)), ticks(most.saturating_sub(least) / 2));
    let loss = (links.loss.unwrap_or(0.0).clamp(0.0, 1.0) * f64::from(u32::MAX)).round() as u32;
    let mut bytes: Vec<u8> = [delay, WAITING, loss, 0, 0, jitter].into_iter().flat_map(u32::to_ne_bytes).collect();
    if let Some(rate) = links.rate {
        // Bytes a second, then overhead of a packet, size and overhead of a cell: there are no cells.
        let rate = u32::try_from(rate.0).unwrap_or(u32::MAX);
        bytes.extend([4 + 16, RATE].into_iter().flat_map(u16::to_ne_bytes));
        bytes.extend([rate, 0, 0, 0].into_iter().flat_map(u32::to_ne_bytes));
    }
    bytes
}

#[cfg(target_os = "linux")]
mod kernel {
    use std::fs;
    use std::io;

    use netlink_packet_core::{
        DefaultNla, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkBuffer, NetlinkMessage,
        NetlinkPayload,
    };
    use netlink_packet_route::RouteNetlinkMessage;
    use netlink_packet_route::tc::{TcAttribute, TcHandle, TcMessage, TcMessageBuffer};
    use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

    use super::NetemError;

    /// `TCA_KIND` and `TCA_OPTIONS`.
    const KIND: u16 = 1;
    const OPTIONS: u16 = 2;
    /// `RTM_NEWQDISC`.
    const NEW: u16 = 36;
    /// `NLMSG_ERROR` and `NLMSG_DONE`.
    const ERROR: u16 = 2;
    const DONE: u16 = 3;

    pub fn replace_root(interface: &str, kind: &str, options: Vec<u8>) -> Result<(), NetemError> {
        let mut message = TcMessage::with_index(index(interface)?);
        message.header.parent = TcHandle::ROOT;
        message.attributes =
            vec![TcAttribute::Kind(kind.to_owned()), TcAttribute::Other(DefaultNla::new(OPTIONS, options))];
        let flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
        let socket = ask(RouteNetlinkMessage::NewQueueDiscipline(message), flags)?;
        let (answer, _) = socket.recv_from_full()?;
        let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer).map_err(io::Error::other)?;
        match answer.payload {
            // Without a code it is an acknowledgement.
            NetlinkPayload::Error(error) if error.code.is_none() => Ok(()),
            NetlinkPayload::Error(error) => match error.to_io() {
                error if error.kind() == io::ErrorKind::NotFound => Err(NetemError::Missing),
                error => Err(error.into()),
            },
            _ => Err(io::Error::other("the answer is none to the question").into()),
        }
    }

    /// The queueing discipline at the root of an interface. Options of disciplines have forms of their own, so only
    /// names are read.
    pub fn root_kind(interface: &str) -> Result<Option<String>, NetemError> {
        let index = index(interface)?;
        let message = RouteNetlinkMessage::GetQueueDiscipline(TcMessage::with_index(index));
        let socket = ask(message, NLM_F_REQUEST | NLM_F_DUMP)?;
        let mut found = None;
        loop {
            let (answer, _) = socket.recv_from_full()?;
            let mut rest = &answer[..];
            while !rest.is_empty() {
                let packet = NetlinkBuffer::new_checked(rest).map_err(io::Error::other)?;
                match packet.message_type() {
                    DONE => return Ok(found),
                    ERROR => return Err(io::Error::other("the kernel does not tell its queueing disciplines").into()),
                    NEW => found = found.or(kind_at_root(packet.payload(), index)?),
                    _ => {}
                }
                // Messages begin at multiples of four bytes.
                let length = (packet.length() as usize).next_multiple_of(4).min(rest.len());
                rest = &rest[length..];
            }
        }
    }

    fn kind_at_root(payload: &[u8], index: i32) -> io::Result<Option<String>> {
        let message = TcMessageBuffer::new_checked(payload).map_err(io::Error::other)?;
        if message.index() != index || TcHandle::from(message.parent()) != TcHandle::ROOT {
            return Ok(None);
        }
        for attribute in message.attributes() {
            let attribute = attribute.map_err(io::Error::other)?;
            if attribute.kind() == KIND {
                let name = attribute.value().split(|byte| *byte == 0).next().unwrap_or_default();
                return Ok(Some(String::from_utf8_lossy(name).into_owned()));
            }
        }
        Ok(None)
    }

    fn ask(message: RouteNetlinkMessage, flags: u16) -> io::Result<Socket> {
        let mut packet = NetlinkMessage::from(message);
        packet.header.flags = flags;
        packet.finalize();
        let mut bytes = vec![0; packet.buffer_len()];
        packet.serialize(&mut bytes);
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.send(&bytes, 0)?;
        Ok(socket)
    }

    fn index(interface: &str) -> Result<i32, NetemError> {
        let missing = || NetemError::Interface { name: interface.to_owned() };
        let known = !interface.is_empty() && !interface.contains(['/', '.']);
        let text = known.then(|| fs::read_to_string(format!("/sys/class/net/{interface}/ifindex")).ok()).flatten();
        text.and_then(|text| text.trim().parse().ok()).ok_or_else(missing)
    }
}

#[cfg(not(target_os = "linux"))]
mod kernel {
    use super::NetemError;

    pub fn replace_root(_: &str, _: &str, _: Vec<u8>) -> Result<(), NetemError> {
        Err(NetemError::Missing)
    }

    pub fn root_kind(_: &str) -> Result<Option<String>, NetemError> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scenario::{Bytes, Span};

    fn links() -> LinkSetup {
        let span = |ms| Span(Duration::from_millis(ms));
        LinkSetup { delay: Some((span(10), span(30))), loss: Some(0.01), rate: Some(Bytes(100_000)) }
    }

    /// What `tc qdisc replace dev lo root netem delay 20000us 10000us loss 1% rate 800000bit` (iproute2 6.1) sends as
    /// options, as strace shows it.
    #[cfg(target_endian = "little")]
    #[test]
    fn options_are_those_that_tc_sends() {
        let sent = b"\xb4\xc4\x04\x00\xe8\x03\x00\x00\x29\x5c\x8f\x02\x00\x00\x00\x00\x00\x00\x00\x00\x5a\x62\x02\x00\
            \x14\x00\x06\x00\xa0\x86\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";
        assert_eq!(options(&links()), sent);
        assert_eq!(options(&LinkSetup::default()).len(), 24, "nothing but the fixed part");
    }

    /// With the right to it and netem in the kernel the link is shaped; whoever has neither is told, and nothing is
    /// shaped.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernel_answers() {
        // Threads share the network of their process: the loopback of this machine is only looked at.
        assert!(!is_shaped("lo").unwrap());
        assert!(matches!(is_shaped("no-such"), Err(NetemError::Interface { .. })));
        assert!(matches!(shape("../lo", &links()), Err(NetemError::Interface { .. })));
    }

    /// In a network of its own, where this user may do as root does.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernel_does_what_it_is_asked() {
        let program = std::env::current_exe().unwrap();
        let inner = ["--exact", "netem::tests::in_a_network_of_its_own", "--ignored", "--nocapture"];
        let unshared = |words: &[&str]| std::process::Command::new("unshare").arg("-rn").args(words).output();
        if !unshared(&["true"]).is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED: no network of its own can be made here");
            return;
        }
        let words = [&[program.to_str().unwrap()], &inner[..]].concat();
        let output = unshared(&words).unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    #[ignore = "run by the_kernel_does_what_it_is_asked"]
    fn in_a_network_of_its_own() {
        // Every kernel has pfifo; its options are how many packets may wait.
        kernel::replace_root("lo", "pfifo", 77u32.to_ne_bytes().to_vec()).unwrap();
        assert_eq!(kernel::root_kind("lo").unwrap().as_deref(), Some("pfifo"));
        match shape("lo", &links()) {
            Ok(()) => assert!(is_shaped("lo").unwrap()),
            Err(NetemError::Missing) => assert!(!is_shaped("lo").unwrap(), "what was there is as it was"),
            Err(error) => panic!("{error}"),
        }
    }
}
