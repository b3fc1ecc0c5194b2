//! `task`: check, show, diff.

use std::path::Path;

use peerlearn::registry::{self, Home};
use peerlearn::task::{Definition, Document, differences, table_schema, write};

use super::args::{ShowAs, TaskCommand};
use super::error::{CliError, Exit};
use super::screen;
use super::setup::read_task;

pub(super) fn task(command: &TaskCommand) -> Result<Exit, CliError> {
    match command {
        TaskCommand::Check { file } => {
            let document = read_task(&file.display().to_string())?;
            super::show(&format!("{} is right: task {}\n", file.display(), document.definition.id()))?;
        }
        TaskCommand::Show { what, form, home } => {
            let document = found(what.as_deref(), &home.home)?;
            let text = match form {
                ShowAs::Words => screen::task(&document),
                ShowAs::Toml => write(&document),
                ShowAs::Json => String::from_utf8_lossy(&document.definition.canonical()).into_owned() + "\n",
                ShowAs::Tableschema => {
                    serde_json::to_string_pretty(&table_schema(&document))
                        .map_err(|source| CliError::Json { source })?
                        + "\n"
                }
            };
            super::show(&text)?;
        }
        TaskCommand::Upgrade { file, home } => upgrade(file, &home.home)?,
        TaskCommand::Diff { one, other } => {
            let read = |path: &Path| read_task(&path.display().to_string());
            super::show(&compared(&read(one)?, &read(other)?))?;
        }
    }
    Ok(Exit::Done)
}

/// Continues the task of a home directory with an edited one.
fn upgrade(file: &Path, home: &Path) -> Result<(), CliError> {
    let edited = read_task(&file.display().to_string())?;
    let kept = registry::task_of(home)?.ok_or_else(|| CliError::NoCheckpoint { home: home.to_owned() })?.document;
    let parent = Some(kept.definition.id());
    let mut next = edited;
    next.definition.parent = parent;
    let definition = next.definition.normalized().map_err(peerlearn::NodeError::Task)?;
    let next = Document { definition, ..next };
    let same = Definition { parent: kept.definition.parent, ..next.definition.clone() };
    if same == kept.definition && next.charter == kept.charter {
        return Err(CliError::Usage {
            reason: format!("{} says the same as the task of {}", file.display(), home.display()),
        });
    }
    super::show(&compared(&kept, &next))?;
    Home::open(home)?.upgrade(&next)?;
    std::fs::write(file, write(&next)).map_err(|source| CliError::File {
        action: "write",
        path: file.to_owned(),
        source,
    })?;
    super::tell(&format!(
        "{} goes on with task {}; {} names the old one as its parent. Start it with peerlearn run, and hand on a new ticket: \
         others follow with peerlearn join TICKET in their home, and keep their weights too",
        home.display(),
        next.definition.id().short(),
        file.display()
    ));
    Ok(())
}

fn found(what: Option<&str>, home: &Path) -> Result<Document, CliError> {
    match what {
        Some(what) => read_task(what),
        None => match registry::task_of(home)? {
            Some(kept) => Ok(kept.document),
            None => read_task("task.toml"),
        },
    }
}

fn compared(one: &Document, other: &Document) -> String {
    let found = differences(one, other);
    let (a, b) = (one.definition.id(), other.definition.id());
    let mut text = match (a == b, found.is_empty()) {
        (true, true) => return "the two are the same\n".to_owned(),
        (true, false) => format!("the same task {}\n", a.short()),
        (false, _) => format!("task {} -> {}\n", a.short(), b.short()),
    };
    let mut heading = None;
    for difference in found {
        if heading != Some(difference.effect) {
            heading = Some(difference.effect);
            text.push_str(&format!("{}\n", difference.effect.heading()));
        }
        text.push_str(&format!("  {}\n", difference.words));
    }
    text
}
