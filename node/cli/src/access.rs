//! Who may join: `invite`, `members`, and what `join` and `run` do about memberships.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use peerlearn::access::{Members, SeenView, redeem, unix_now};
use peerlearn::control::{ControlRequest, ask};
use peerlearn::node::Node;
use peerlearn::registry::{self, Home, OwnMember};
use peerlearn::runtime::settings::duration;
use peerlearn::task::access::{ago, clean_name, span};
use peerlearn::task::{Document, Join};
use peerlearn::ticket::Ticket;

use super::args::HomeArgs;
use super::error::{CliError, Exit};
use super::node::ask_soon;
use super::status;

const INVITE_EXAMPLES: &str = "Examples:
  peerlearn invite --name Basel
  peerlearn invite --uses 5 --for 2d --qr
Whoever has the ticket can join: hand it on like a password. Peers count uses as they see them, so where two use one invitation at
different ends of the network at the same time, both may be in until they are seen together.";

/// Arguments of `invite`.
#[derive(Debug, Args)]
#[command(after_help = INVITE_EXAMPLES)]
pub struct InviteArgs {
    /// How many peers may join by it.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub uses: u32,
    /// How long somebody may take to join: for example 12h or 7d.
    #[arg(long = "for", default_value = "7d", value_parser = seconds, value_name = "TIME")]
    pub seconds: u64,
    /// What to call it in `members`: whom it is for.
    #[arg(long, default_value = "", value_name = "NAME")]
    pub name: String,
    /// Also show it as a QR code.
    #[arg(long)]
    pub qr: bool,
    #[command(flatten)]
    pub(super) home: HomeArgs,
}

/// Arguments of `members`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  peerlearn members\n  peerlearn members allow basel")]
pub struct MembersArgs {
    /// What to do about them; without a word, they are listed.
    #[command(subcommand)]
    pub command: Option<MembersCommand>,
    /// Print everything as one JSON object.
    #[arg(long)]
    pub json: bool,
    /// The directory with identity, checkpoint and address book.
    #[arg(long, global = true, env = "PEERLEARN_HOME", default_value = ".peerlearn", value_name = "DIR")]
    pub home: PathBuf,
}

/// What can be done about members.
#[derive(Debug, Subcommand)]
pub enum MembersCommand {
    /// Lets in one of those who wait; asked of an owner's node.
    Allow {
        /// Its name, or the beginning of its id.
        who: String,
    },
}

/// A time as people write it, days among them.
fn seconds(text: &str) -> Result<u64, String> {
    let days =
        text.strip_suffix('d').and_then(|days| days.parse::<u64>().ok()).and_then(|days| days.checked_mul(86_400));
    let time = days.or_else(|| duration::parse(text).map(|time| time.as_secs()));
    time.filter(|seconds| (1..=10 * 365 * 86_400).contains(seconds))
        .ok_or_else(|| "a time such as 30m, 12h or 7d".to_owned())
}

pub(super) async fn invite(args: &InviteArgs) -> Result<Exit, CliError> {
    let request = ControlRequest::Invite { uses: args.uses, seconds: args.seconds, name: args.name.clone() };
    let ticket = ask_soon(&args.home.home, &request).await?;
    let ticket = ticket.as_str().unwrap_or_default();
    let code = if args.qr { status::qr(ticket) } else { String::new() };
    super::show(&format!("{ticket}\n{code}"))?;
    let who = if args.uses == 1 { "one peer".to_owned() } else { format!("{} peers", args.uses) };
    super::tell(&format!(
        "lets in {who} within {}, with: peerlearn join TICKET; whoever has it can join, so hand it on like a password",
        span(args.seconds)
    ));
    Ok(Exit::Done)
}

pub(super) async fn members(args: &MembersArgs) -> Result<Exit, CliError> {
    if let Some(MembersCommand::Allow { who }) = &args.command {
        let allowed = ask(&args.home, &ControlRequest::Allow { who: who.clone() }).await?;
        let allowed = allowed.as_str().unwrap_or_default();
        super::tell(&format!("let in {allowed}; it hears of it when it asks again, in a few seconds"));
        return Ok(Exit::Done);
    }
    let answer = ask(&args.home, &ControlRequest::Members {}).await?;
    if args.json {
        super::show(&format!("{answer}\n"))?;
        return Ok(Exit::Done);
    }
    let members: Members = serde_json::from_value(answer).map_err(|source| CliError::Json { source })?;
    super::show(&table(&members))?;
    Ok(Exit::Done)
}

fn table(members: &Members) -> String {
    let own = if members.owner {
        "an owner"
    } else if members.member {
        "a member"
    } else {
        "not a member yet"
    };
    let mut text = format!("this node is {} ({}), {own}\n", members.name, members.peer.short());
    if members.join == Join::Open {
        return text
            + "this task is open: anyone who has the ticket takes part, and nobody is asked for a membership\n";
    }
    let all = || members.members.iter().chain(&members.pending).chain(&members.refused);
    let width = all().map(|seen| seen.name.chars().count()).max().unwrap_or(4).max(4);
    let now = unix_now();
    let mut list = |title: &str, list: &[SeenView]| {
        // Writing to a string cannot fail.
        let _ =
            writeln!(text, "{title}: {}", if list.is_empty() { "nobody".to_owned() } else { list.len().to_string() });
        for seen in list {
            let name = if seen.name.is_empty() { "?" } else { &seen.name };
            let state = if seen.connected { "connected" } else { "" };
            let time = ago(now.saturating_sub(seen.since));
            let _ = writeln!(text, "  {name:<width$}  {}  {time:>12}  {state:<9}  {}", seen.peer.short(), seen.why);
        }
    };
    list("members seen", &members.members);
    if members.owner && members.join == Join::Approved {
        list("waiting to be let in (peerlearn members allow NAME)", &members.pending);
    }
    list("refused", &members.refused);
    text
}

/// What a peer is called where nobody says: the user, or else the machine.
fn usual_name() -> String {
    let user = ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let host = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = user.filter(|user| user != "root").or_else(host).unwrap_or_default();
    let name: String = name.trim().chars().take(40).collect();
    clean_name(&name).unwrap_or_else(|_| "peer".to_owned())
}

/// What this node is called: as the command line says, else as before, else as the user.
pub(super) fn name_of(home: &Path, given: Option<&str>) -> Result<String, CliError> {
    if let Some(name) = given {
        return clean_name(name).map_err(|reason| CliError::Usage { reason: format!("--name {name:?}: {reason}") });
    }
    Ok(registry::member_of(home)?.map_or_else(usual_name, |kept| kept.name))
}

/// Makes this node a member before it starts, where its ticket invites it and it is none yet; says what else is to be done.
pub(super) fn prepare(
    document: Option<&Document>,
    home: &Home,
    ticket: &str,
    name: Option<&str>,
) -> Result<(), CliError> {
    let Some(document) = document.filter(|document| document.charter.access.join != Join::Open) else { return Ok(()) };
    let identity = home.identity()?;
    if document.definition.owners.contains(&identity.peer()) {
        return Ok(());
    }
    let kept = registry::member_of(home.path())?.and_then(|kept| kept.member);
    if kept.is_some_and(|member| member.task == document.definition.id() && member.peer == identity.peer()) {
        super::tell(&format!("goes on with the membership that {} keeps", home.path().display()));
        return Ok(());
    }
    let name = name_of(home.path(), name)?;
    // A multiaddress invites nobody.
    let invitation = ticket.parse::<Ticket>().ok().and_then(|ticket| ticket.invitation);
    match (invitation, document.charter.access.join) {
        (Some(invitation), _) => {
            let member =
                redeem(document, &identity, &invitation, &name).map_err(|reason| CliError::Usage { reason })?;
            home.remember_member(&OwnMember { name: member.name.clone(), member: Some(member) })?;
            super::tell(&format!("joins as {name} ({}), by {}", identity.peer().short(), invitation.invite.title()));
        }
        (None, Join::Approved) => super::tell(&format!(
            "asks to be let in as {name} ({}): tell an owner to look at peerlearn members",
            identity.peer().short()
        )),
        (None, _) => super::tell(
            "this ticket is no invitation, and this task lets in members only: ask an owner for one (peerlearn invite)",
        ),
    }
    Ok(())
}

/// How others come to a node, in a line.
pub(super) async fn how_to_join(node: &Node, home: &Path) -> String {
    let (ticket, home) = (node.ticket().await, home.display());
    let owner = node.task().definition().owners.contains(&node.peer());
    match (node.task().document().charter.access.join, owner) {
        (Join::Open, _) => format!("others join with: peerlearn join {ticket}"),
        (Join::Invited, true) => {
            format!("others join with an invitation, which this prints: peerlearn invite --home {home}")
        }
        (Join::Invited, false) => {
            format!("others join with an invitation of an owner; members come here with: peerlearn join {ticket}")
        }
        (Join::Approved, true) => {
            format!("others join with your consent (peerlearn members --home {home}), after: peerlearn join {ticket}")
        }
        (Join::Approved, false) => {
            format!("others join with an owner's consent; members come here with: peerlearn join {ticket}")
        }
    }
}

/// What people should know of a plain ticket.
pub(super) async fn warn_of_ticket(home: &Path) -> Result<(), CliError> {
    let answer = ask(home, &ControlRequest::Members {}).await?;
    let members: Members = serde_json::from_value(answer).map_err(|source| CliError::Json { source })?;
    match members.join {
        Join::Open => {}
        Join::Invited => super::tell(
            "this task is by invitation: this ticket lets in only those who are members already; for somebody new, an owner prints one \
             with: peerlearn invite",
        ),
        Join::Approved => super::tell(
            "whoever comes with this ticket and is no member waits until an owner lets it in: peerlearn members allow NAME",
        ),
    }
    Ok(())
}
