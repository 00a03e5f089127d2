//! `larum token`: a token for somebody who asks the daemon.

use std::io::Read as _;

use clap::{Args, Subcommand};

use super::{Error, Kind, Ui};
use crate::access::{Digest, MIN_SECRET, TOKEN_NAME_HINT, is_token_name};
use crate::app;

/// No token is longer.
const MAX_SECRET: u64 = 4096;

#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Make a random token, and print the lines for larum.yaml
    ///
    /// The token itself is printed once, and kept nowhere: larum.yaml has its hash.
    New {
        /// Who will show it
        #[arg(default_value = "somebody")]
        name: String,
    },
    /// Print the hash of a token that is read from standard input
    Hash,
}

pub(super) fn run(args: &TokenArgs, ui: &mut Ui) -> Result<(), Error> {
    match &args.command {
        TokenCommand::New { name } if !is_token_name(name) => {
            let message = format!("`{name}` is no name of a token");
            Err(Error::message(Kind::Usage, message).with_hint(TOKEN_NAME_HINT))
        }
        TokenCommand::New { name } => {
            let token = app::new_token()?;
            ui.line(&token)?;
            ui.note("keep it where only its owner can read it; it cannot be shown again. For larum.yaml:");
            ui.note("tokens:");
            ui.note(format_args!("  - {{ name: {name}, scope: read, hash: \"{}\" }}", Digest::of(&token)));
            Ok(())
        }
        TokenCommand::Hash => {
            let mut token = String::new();
            std::io::stdin().take(MAX_SECRET).read_to_string(&mut token)?;
            let token = token.trim();
            if token.len() < MIN_SECRET {
                let message = format!("the token has fewer than {MIN_SECRET} characters, and could be guessed");
                return Err(Error::message(Kind::Usage, message).with_hint("`larum token new` makes one"));
            }
            Ok(ui.line(Digest::of(token))?)
        }
    }
}
