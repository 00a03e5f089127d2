//! `larum ack`: somebody takes care of an alert.

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::daemon::{ClientArgs, Daemon, login};
use super::silence::words;
use super::{Error, Format, Kind, ProjectArgs, Ui};

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true))]
pub(super) struct AckArgs {
    /// The alerts: their ids, or as much of each as no other begins with
    #[arg(group = "which", value_name = "ID", conflicts_with_all = ["rule", "kind", "name"])]
    ids: Vec<String>,
    /// All alerts of this rule
    #[arg(long, group = "which", value_name = "NAME")]
    rule: Option<String>,
    /// All alerts about subjects of this kind
    #[arg(long, group = "which")]
    kind: Option<String>,
    /// All alerts about subjects with this name
    #[arg(long, group = "which")]
    name: Option<String>,
    /// What to say
    #[arg(long, default_value = "", value_name = "TEXT")]
    comment: String,
    /// Who takes care (default: the login name)
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Take the acknowledgement back: reminders and escalation go on
    #[arg(long)]
    undo: bool,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    daemon: ClientArgs,
}

pub(super) fn run(args: &AckArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    let daemon = Daemon::find(&args.daemon, project)?;
    let mut asked = json!({
        "by": args.by.clone().unwrap_or_else(login), "comment": args.comment, "undo": args.undo
    });
    let mut acknowledged: Vec<Value> = Vec::new();
    let mut durable = true;
    let mut failed = false;
    let mut take = |answer: Value, durable: &mut bool| {
        acknowledged.extend(answer["acknowledged"].as_array().into_iter().flatten().cloned());
        *durable &= answer["durable"] != json!(false);
    };
    if args.ids.is_empty() {
        for (key, value) in [("rule", &args.rule), ("kind", &args.kind), ("name", &args.name)] {
            if let Some(value) = value {
                asked[key] = value.clone().into();
            }
        }
        take(daemon.send(Method::POST, "/api/v1/ack", &asked)?, &mut durable);
    }
    for id in &args.ids {
        let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_id {
            return Err(Error::message(Kind::Usage, format!("`{id}` is no id of an alert"))
                .with_hint("`larum alerts` names the ids"));
        }
        match daemon.send(Method::POST, &format!("/api/v1/alerts/{id}/ack"), &asked) {
            Ok(answer) => take(answer, &mut durable),
            Err(error) if args.ids.len() == 1 => return Err(error),
            Err(error) => {
                // The others are acknowledged all the same.
                error.report(ui);
                failed = true;
            }
        }
    }
    if args.format == Format::Json {
        ui.line(json!({ "acknowledged": acknowledged, "durable": durable }))?;
    } else {
        let word = if args.undo { "no longer acknowledged" } else { "acknowledged" };
        for alert in &acknowledged {
            let [level, rule, subject, message] = &words::alert(alert)[..] else { continue };
            ui.line(format_args!("{word}: [{level}] {rule} {subject}: {message}"))?;
        }
        if !durable {
            ui.note("it is noted, but not stored: a restart would forget it");
        }
    }
    if failed { Err(Error::told(Kind::Failure)) } else { Ok(()) }
}
