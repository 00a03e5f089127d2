//! The engine on its own thread: takes inputs in order, and wakes by itself at the engine's deadline.
//!
//! Each step's effects go to the committer, which releases the reply. The engine itself never waits for the disk; but an
//! input keeps its place in the queue until it is committed, so a slow disk slows down those who give inputs.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::clock::Clock;
use super::committer::{Step, Writer};
use super::figures::Figures;
use super::followers::Followers;
use crate::engine::{Effects, Input};
use crate::history::BatchReport;
use crate::model::{Now, Time};

/// Inputs that wait for the engine or for their commit.
const QUEUE: usize = 1024;

/// What runs on the thread: the engine.
pub trait Machine: Send + 'static {
    /// Takes one input.
    fn step(&mut self, now: Now, input: Input) -> Effects;
    /// When it wants to be called again, in engine time.
    fn next_deadline(&self) -> Option<Time>;
}

/// What became of an input.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// Counts the steps.
    pub sequence: u64,
    /// What became of the batch, where it was one.
    pub report: BatchReport,
    /// The effects are stored. False while the store cannot write; alerts are sent nevertheless.
    pub durable: bool,
}

/// The engine has stopped and takes no more inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the engine has stopped: the daemon is shutting down")]
pub struct Stopped;

/// Why an input was not taken at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The queue is full.
    #[error("the engine's queue is full")]
    Busy,
    /// The engine has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

type Question<M> = Box<dyn FnOnce(&M, Now) + Send>;

enum Command<M> {
    Step { input: Input, place: Option<OwnedSemaphorePermit>, reply: Option<oneshot::Sender<Receipt>> },
    Ask(Question<M>),
    Stop,
}

/// The way to an engine that runs on its thread.
#[derive(Debug)]
pub struct Handle<M> {
    commands: Sender<Command<M>>,
    places: Arc<Semaphore>,
}

impl<M> Clone for Handle<M> {
    fn clone(&self) -> Handle<M> {
        Handle { commands: self.commands.clone(), places: self.places.clone() }
    }
}

impl<M: Machine> Handle<M> {
    /// Gives an input, and waits until its effects are committed. Waits for a place in the queue first.
    ///
    /// # Errors
    /// Where the engine has stopped before it took the input.
    pub async fn step(&self, input: Input) -> Result<Receipt, Stopped> {
        let place = self.places.clone().acquire_owned().await.map_err(|_| Stopped)?;
        self.give(input, place).await
    }

    /// As [`Handle::step`], but does not wait for a place in the queue.
    ///
    /// # Errors
    /// Where the queue is full, or the engine has stopped.
    pub async fn try_step(&self, input: Input) -> Result<Receipt, Refused> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| Refused::Busy)?;
        Ok(self.give(input, place).await?)
    }

    async fn give(&self, input: Input, place: OwnedSemaphorePermit) -> Result<Receipt, Stopped> {
        let (reply, receipt) = oneshot::channel();
        self.commands.send(Command::Step { input, place: Some(place), reply: Some(reply) }).map_err(|_| Stopped)?;
        receipt.await.map_err(|_| Stopped)
    }

    /// Gives an input that must never wait: new rules, the end of a notification. There are few of these.
    ///
    /// # Errors
    /// Where the engine has stopped.
    pub fn tell(&self, input: Input) -> Result<(), Stopped> {
        self.commands.send(Command::Step { input, place: None, reply: None }).map_err(|_| Stopped)
    }

    /// Asks the engine between two steps. The question holds up the engine: it should copy what it needs and go.
    ///
    /// # Errors
    /// Where the engine has stopped.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&M, Now) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (reply, answer) = oneshot::channel();
        let question: Question<M> = Box::new(move |machine, now| {
            // Whoever asked may have gone away meanwhile.
            reply.send(question(machine, now)).ok();
        });
        self.commands.send(Command::Ask(question)).map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// Lets the engine stop after everything that it was given before.
    pub fn stop(&self) {
        // It may have stopped already.
        self.commands.send(Command::Stop).ok();
    }

    /// How many inputs wait for the engine or for their commit.
    pub fn waiting(&self) -> usize {
        QUEUE - self.places.available_permits()
    }
}

/// The receiving end: what the thread runs with.
pub(super) struct Inbox<M> {
    commands: Receiver<Command<M>>,
}

/// A queue to an engine.
pub(super) fn queue<M: Machine>() -> (Handle<M>, Inbox<M>) {
    let (sender, commands) = mpsc::channel();
    (Handle { commands: sender, places: Arc::new(Semaphore::new(QUEUE)) }, Inbox { commands })
}

/// Runs the engine until it is told to stop. Belongs on its own thread.
pub(super) fn run<M: Machine>(
    mut machine: M,
    inbox: Inbox<M>,
    clock: &Clock,
    writer: &Writer,
    figures: &Figures,
    followers: &Followers,
) {
    let step = |machine: &mut M, input, place, reply| {
        let started = Instant::now();
        let effects = machine.step(clock.now(), input);
        figures.count_step(&effects, started.elapsed());
        if let Some(batch) = effects.batch.as_ref().filter(|_| followers.is_any()) {
            followers.hand_out(effects.now, batch.clone(), &effects.report);
        }
        writer.step(Step { effects: Arc::new(effects), place, reply });
    };
    loop {
        let now = clock.now().time;
        let mut deadline = machine.next_deadline();
        if deadline.is_some_and(|deadline| deadline <= now) {
            // Before the next input: under a steady stream of inputs a timer must still end when it is due.
            step(&mut machine, Input::Tick, None, None);
            deadline = machine.next_deadline();
        }
        let received = match deadline {
            // A deadline that a tick did not move must not spin the thread.
            Some(deadline) => inbox.commands.recv_timeout(clock.until(deadline).max(Duration::from_millis(1))),
            None => inbox.commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match received {
            Ok(Command::Step { input, place, reply }) => step(&mut machine, input, place, reply),
            Ok(Command::Ask(question)) => question(&machine, clock.now()),
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::committer;
    use super::*;
    use crate::store::{Memory, Store};

    /// Counts its inputs, and wants a tick 20 ms after each input that is not a tick.
    #[derive(Default)]
    struct Counting {
        steps: u64,
        ticks: u64,
        deadline: Option<Time>,
    }

    impl Machine for Counting {
        fn step(&mut self, now: Now, input: Input) -> Effects {
            self.steps += 1;
            match input {
                Input::Tick => {
                    self.ticks += 1;
                    self.deadline = None;
                }
                _ => self.deadline = Some(now.time + Duration::from_millis(20)),
            }
            Effects::none(self.steps, now)
        }

        fn next_deadline(&self) -> Option<Time> {
            self.deadline
        }
    }

    struct Running {
        handle: Handle<Counting>,
        engine: std::thread::JoinHandle<()>,
        committer: std::thread::JoinHandle<()>,
        store: Memory,
    }

    fn start() -> Running {
        let (handle, inbox) = queue();
        let (writer, writes) = committer::queue();
        let (clock, figures, store) = (Clock::start(None), Arc::new(Figures::default()), Memory::default());
        let committer = std::thread::spawn({
            let (store, figures) = (store.clone(), figures.clone());
            move || committer::run(Box::new(store), writes, &figures, |_| {})
        });
        let engine = std::thread::spawn(move || {
            run(Counting::default(), inbox, &clock, &writer, &figures, &Followers::default());
            writer.stop();
        });
        Running { handle, engine, committer, store }
    }

    fn input() -> Input {
        Input::Forget(crate::model::SubjectKey::new("host", "web-1"))
    }

    #[tokio::test]
    async fn a_reply_comes_after_its_step_is_stored_and_inputs_keep_their_order() {
        let running = start();
        for expected in 1..=3 {
            let receipt = running.handle.step(input()).await.unwrap();
            assert!(receipt.durable);
            assert!(receipt.sequence >= expected, "ticks may come in between");
            assert!(running.store.reader().last_step().unwrap().map(|step| step.sequence) >= Some(receipt.sequence));
        }
        running.handle.stop();
        running.engine.join().unwrap();
        running.committer.join().unwrap();
        assert_eq!(running.handle.step(input()).await, Err(Stopped));
        assert_eq!(running.handle.ask(|machine, _| machine.steps).await, Err(Stopped));
        assert_eq!(running.handle.waiting(), 0);
    }

    #[tokio::test]
    async fn the_engine_is_called_at_its_deadline_without_any_input() {
        let running = start();
        running.handle.tell(input()).unwrap();
        let give_up = Instant::now() + Duration::from_secs(10);
        while running.handle.ask(|machine, _| machine.ticks).await.unwrap() == 0 {
            assert!(Instant::now() < give_up, "no tick came");
            tokio::task::yield_now().await;
        }
        running.handle.stop();
        running.engine.join().unwrap();
        running.committer.join().unwrap();
    }

    #[tokio::test]
    async fn what_was_given_before_the_stop_is_still_done() {
        let running = start();
        for _ in 0..100 {
            running.handle.tell(input()).unwrap();
        }
        running.handle.stop();
        running.engine.join().unwrap();
        running.committer.join().unwrap();
        assert!(running.store.reader().last_step().unwrap().map(|step| step.sequence) >= Some(100));
    }
}
