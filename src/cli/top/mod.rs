//! `larum top`: a running daemon on a live screen.
//!
//! A thread asks the daemon every two seconds and does what the operator wants done (`poll`). What came is put into a state
//! (`state`), which keys change (`keys`) and which is drawn (`draw`); these three know neither a clock nor a terminal.

mod draw;
mod happened;
mod keys;
mod picture;
mod poll;
mod state;
mod trend;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::{Duration, Instant};

use clap::Args;
use ratatui::crossterm::event::{Event, KeyEventKind};

use super::daemon::{ClientArgs, Daemon, own_zone};
use super::ui::Screen;
use super::{Error, Kind, ProjectArgs, Ui};
use crate::diagnostic::Colour;
use keys::Meant;
use poll::{News, Wish};
use state::State;

/// How long after an answer the daemon is asked again.
const EVERY: Duration = Duration::from_secs(2);
/// How long a key is waited for before news are looked at.
const TICK: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(super) struct TopArgs {
    #[command(flatten)]
    daemon: ClientArgs,
}

pub(super) fn run(args: &TopArgs, project: &ProjectArgs, ui: &mut Ui) -> Result<(), Error> {
    if !ui.has_screen() {
        let message = "`larum top` draws on a terminal, and standard output is none that it can draw on";
        return Err(Error::message(Kind::Usage, message).with_hint("`larum status` says the same as plain text"));
    }
    let daemon = Daemon::find(&args.daemon, project)?;
    // What is wrong from the start (nobody listens, no token) is told as every command tells it.
    let first = poll::picture(&daemon)?;
    let mut state = State::new(daemon.url().to_string(), own_zone(project), first);
    let (wishes, news) = poll::start(daemon, EVERY)?;
    let colour = ui.out_colour();
    let mut screen = ui.screen()?;
    let stop = poll::hear_signals()?;
    live(&mut state, &mut screen, colour, &wishes, &news, &stop)
}

/// Draws what is new and does what keys ask for, until somebody ends it.
fn live(
    state: &mut State,
    screen: &mut Screen,
    colour: Colour,
    wishes: &Sender<Wish>,
    news: &Receiver<News>,
    stop: &AtomicBool,
) -> Result<(), Error> {
    let mut came = Instant::now();
    let mut drawn: Option<u64> = None;
    while !stop.load(Ordering::Relaxed) {
        loop {
            match news.try_recv() {
                Ok(News::Seen(picture)) => {
                    came = Instant::now();
                    state.see(*picture);
                }
                Ok(News::Lost(why)) => state.lose(why),
                Ok(News::Done(outcome)) => state.say(outcome),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    return Err(Error::message(
                        Kind::Failure,
                        "what asks the daemon has ended by a mistake of its own",
                    ));
                }
            }
            drawn = None;
        }
        // Lengths of time are told to the second. The daemon's clock counts, not that of this machine.
        let passed = came.elapsed();
        if drawn != Some(passed.as_secs()) {
            let now = state.seen_at() + passed;
            screen.draw(|frame| draw::draw(frame, state, now, colour))?;
            drawn = Some(passed.as_secs());
        }
        match screen.event(TICK)? {
            None => continue,
            // A key that is let go is told too on some systems.
            Some(Event::Key(key)) if key.kind != KeyEventKind::Release => match keys::press(state, key) {
                Some(Meant::Quit) => return Ok(()),
                Some(Meant::Wish(wish)) => {
                    // Where nobody takes it, the news end too, and that is told.
                    wishes.send(wish).ok();
                }
                None => {}
            },
            // Resized, or something that changes nothing.
            Some(_) => {}
        }
        drawn = None;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
