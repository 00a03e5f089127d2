//! The simulator: random rules and random stories on the real engine, judged by a model that knows nothing of it.
//!
//! A failure prints its seed; `LARUM_SIM_SEED=<seed> cargo test simulator` tells that one story again and prints
//! it, and `LARUM_SIM_STORIES=<n>` tells more of them.

mod grammar;
mod judge;
mod ledger;
mod model;
mod random;
mod story;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::routing::Routing;
use grammar::Flavour;
use judge::Judge;
use random::Random;
use story::{Restarts, Step, Telling};

/// The channels that there are.
const CHANNELS: [&str; 3] = ["a", "b", "c"];
/// How many stories are told.
const N_STORIES: u64 = 10_000;
/// How many stories are told of restarts, of groups and of alerts that flap.
const N_STORIES_OF_A_KIND: u64 = 2_000;
/// After how long without a snapshot a subject is stale.
const STALE_AFTER: Duration = Duration::from_secs(60);
/// So many stories share their rules: compiling is slower than judging.
const STORIES_PER_POOL: u64 = 250;

/// Tells one story in all ways that must agree.
fn tell(seed: u64, pool: &grammar::Pool, routings: &[Arc<Routing>]) -> Result<u64, String> {
    let story = story::write(&mut Random::new(seed), pool, routings, true, STALE_AFTER);
    let restarts = if seed.is_multiple_of(3) { Restarts::AtOnce } else { Restarts::Never };
    let (steps, engine) = story::tell(&story, seed, Telling::Receivers, restarts);
    if number("LARUM_SIM_SEED").is_some() {
        story.iter().for_each(|chapter| println!("{chapter:?}"));
        steps.iter().filter(|step| step.has_something()).for_each(|step| println!("{step:?}"));
    }
    Judge::judge(&steps, &engine)?;
    ledger::judge(&steps)?;
    if seed.is_multiple_of(20) {
        let (again, _) = story::tell(&story, seed, Telling::Receivers, restarts);
        same("a second telling", log(&steps), log(&again))?;
        let story = story::write(&mut Random::new(seed), pool, routings, false, STALE_AFTER);
        let (prompt, _) = story::tell(&story, seed, Telling::Unanswered, Restarts::Never);
        let (late, _) = story::tell(&story, seed, Telling::Overslept, Restarts::Never);
        same("a telling that overslept", log(&prompt), log(&late))?;
    }
    Ok(steps.iter().map(|step| step.notifications.len() as u64).sum())
}

/// Everything that happened, line by line.
fn log(steps: &[Step]) -> Vec<String> {
    let events = steps.iter().flat_map(|step| &step.events).map(|event| format!("{event:?}"));
    let sent = steps.iter().flat_map(|step| &step.notifications).map(|(notification, ..)| format!("{notification:?}"));
    events.chain(sent).collect()
}

fn same(what: &str, one: Vec<String>, other: Vec<String>) -> Result<(), String> {
    let first = one.iter().zip(&other).find(|(a, b)| a != b);
    match first {
        Some((a, b)) => Err(format!("{what} differs:\n{a}\n{b}")),
        None if one.len() != other.len() => Err(format!("{what} has {} lines instead of {}", other.len(), one.len())),
        None => Ok(()),
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

/// Tells stories on all cores. `tell` tells one, and gives how many notifications there were.
fn tell_many(
    n_stories: u64,
    flavour: Flavour,
    routings: impl Fn() -> Vec<Arc<Routing>> + Sync,
    tell: impl Fn(u64, &grammar::Pool, &[Arc<Routing>]) -> Result<u64, String> + Sync,
) {
    let one = number("LARUM_SIM_SEED");
    let n_stories = number("LARUM_SIM_STORIES").unwrap_or(n_stories);
    let (next, n_sent) = (AtomicU64::new(0), AtomicU64::new(0));
    let work = || {
        let routings = routings();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let seeds = match one {
                Some(seed) if index == 0 => seed..seed + 1,
                None if index * STORIES_PER_POOL < n_stories => {
                    index * STORIES_PER_POOL..((index + 1) * STORIES_PER_POOL).min(n_stories)
                }
                _ => return,
            };
            let pool = grammar::pool(&mut Random::new(seeds.start / STORIES_PER_POOL), flavour);
            for seed in seeds {
                match tell(seed, &pool, &routings) {
                    Ok(n) => n_sent.fetch_add(n, Ordering::Relaxed),
                    Err(error) => panic!("LARUM_SIM_SEED={seed}: {error}"),
                };
            }
        }
    };
    let n_threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(4));
    std::thread::scope(|scope| (0..n_threads).for_each(|_| drop(scope.spawn(work))));
    let n_sent = n_sent.into_inner();
    assert!(one.is_some() || n_sent > n_stories, "the stories are about something: {n_sent} notifications");
}

#[test]
fn what_must_hold_of_every_story_holds_of_ten_thousand_random_ones() {
    tell_many(N_STORIES, Flavour::Mixed, story::routings, tell);
}

#[test]
fn a_restart_at_any_moment_changes_nothing_of_what_is_told_of_single_subjects() {
    let never_stale = Duration::from_secs(24 * 3600);
    tell_many(N_STORIES_OF_A_KIND, Flavour::Plain, story::routings, |seed, pool, routings| {
        // A jump of the wall clock is seen at the next look at an alert, and a restart looks at all of them.
        let story = story::write(&mut Random::new(seed), pool, routings, false, never_stale);
        let (steps, _) = story::tell(&story, seed, Telling::Receivers, Restarts::Never);
        let (again, _) = story::tell(&story, seed, Telling::Receivers, Restarts::AtOnce);
        if number("LARUM_SIM_SEED").is_some() {
            story.iter().for_each(|chapter| println!("{chapter:?}"));
            for (name, steps) in [("without", &steps), ("with restarts", &again)] {
                println!("== {name}");
                steps.iter().filter(|step| step.has_something()).for_each(|step| println!("{step:?}"));
            }
        }
        same("a telling with restarts", log(&steps), log(&again))?;
        ledger::judge(&again)?;
        Ok(steps.iter().map(|step| step.notifications.len() as u64).sum())
    });
}

#[test]
fn every_event_of_alerts_that_flap_and_are_told_in_groups_is_in_the_books_and_each_end_is_told_once() {
    tell_many(N_STORIES_OF_A_KIND, Flavour::Flapping, story::grouped_routings, |seed, pool, routings| {
        let story = story::write(&mut Random::new(seed), pool, routings, true, STALE_AFTER);
        let restarts = if seed.is_multiple_of(2) { Restarts::AfterAWhile } else { Restarts::Never };
        let (steps, engine) = story::tell(&story, seed, Telling::Receivers, restarts);
        if number("LARUM_SIM_SEED").is_some() {
            steps.iter().filter(|step| step.has_something()).for_each(|step| println!("{step:?}"));
        }
        ledger::judge(&steps)?;
        ledger::judge_ends(&steps, &engine)?;
        Ok(steps.iter().map(|step| step.notifications.len() as u64).sum())
    });
}

#[test]
fn at_every_instant_of_random_stories_each_channel_was_told_what_it_should_know() {
    tell_many(N_STORIES, Flavour::Mixed, model::routings, |seed, pool, routings| {
        let story = story::write_of_people(&mut Random::new(seed), pool, routings);
        let (steps, engine) = story::tell(&story, seed, Telling::Receivers, Restarts::Never);
        if number("LARUM_SIM_SEED").is_some() {
            story.iter().for_each(|chapter| println!("{chapter:?}"));
            steps.iter().filter(|step| step.has_something()).for_each(|step| println!("{step:?}"));
        }
        model::judge(&steps, routings)?;
        ledger::judge(&steps)?;
        ledger::judge_ends(&steps, &engine)?;
        Ok(steps.iter().map(|step| step.notifications.len() as u64).sum())
    });
}
