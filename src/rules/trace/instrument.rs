//! A file's text in which every expression reports its value.
//!
//! Each point becomes `__seen(7, __at(7), EXPRESSION)`, in the text: so a watched file is loaded and run by the same
//! loader and interpreter as any other, and no second evaluator is needed. Lines stay where they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::Engine;

use crate::rules::analyse::Place;
use crate::rules::analyse::points::{Body, bodies};
use crate::rules::analyse::script::Script;
use crate::rules::analyse::tokens::Tokens;

/// A file as it is watched.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    /// The file, as people name it.
    pub(crate) file: Arc<str>,
    /// The text as it was written, as tokens.
    pub(crate) tokens: Tokens,
    /// The closures and functions of the file. Points count over all of them, in order.
    pub(crate) bodies: Vec<Body>,
    /// The number of each body's first point.
    pub(crate) first_points: Vec<usize>,
    /// Of each closure where it stands in the watched text.
    closures: BTreeMap<Place, usize>,
}

impl Watched {
    /// Puts the reports into a text; `None` where it does not compile, or has functions by the names of the reports.
    pub(crate) fn new(file: &Arc<str>, text: &Arc<str>, engine: &Engine) -> Option<(Watched, Arc<str>)> {
        let ast = engine.compile(&**text).ok()?;
        let script = Script::new(file.clone(), text.clone(), ast);
        if ["__seen", "__at"].iter().any(|name| script.functions.contains_key(*name)) {
            return None;
        }
        let tokens = Tokens::new(text);
        let bodies = bodies(&script, &tokens);
        let mut first_points = Vec::with_capacity(bodies.len());
        let mut pieces = Vec::new();
        let mut n_points = 0;
        for body in &bodies {
            first_points.push(n_points);
            for point in &body.points {
                let (start, end) = tokens.chars(point.range);
                // At one offset what ends comes before what begins, and the inner ends before the outer, which begins
                // first.
                pieces.push(((end, 0, usize::MAX - n_points), ")".to_string()));
                pieces.push(((start, 1, n_points), format!("__seen({n_points},__at({n_points}),")));
                n_points += 1;
            }
        }
        pieces.sort_by_key(|(place, _)| *place);
        let pieces: Vec<(usize, String)> = pieces.into_iter().map(|((offset, ..), piece)| (offset, piece)).collect();
        let text: Arc<str> = tokens.with(&pieces).into();
        let watched = Tokens::new(&text);
        let closures = bodies.iter().enumerate().filter_map(|(index, body)| {
            let offset = tokens.offset(body.place)?;
            let put_in: usize = pieces.iter().take_while(|(at, _)| *at <= offset).map(|(_, piece)| piece.len()).sum();
            Some((watched.place(offset + put_in), index))
        });
        let closures = closures.collect();
        Some((Watched { file: file.clone(), tokens, bodies, first_points, closures }, text))
    }

    /// The body of the closure that stands at a place of the watched text.
    pub(crate) fn body_at(&self, watched: Place) -> Option<usize> {
        self.closures.get(&watched).copied()
    }

    /// The body of a closure or function, by its name in the text as it was written.
    pub(crate) fn body_named(&self, name: &str) -> Option<usize> {
        self.bodies.iter().position(|body| body.name == name)
    }
}
