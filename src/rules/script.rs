//! The one place that makes a Rhai engine: every limit is set here, and everything that is off is turned off here.
//!
//! Choices, with the reasons:
//! - Every limit is set explicitly: Rhai's defaults differ between debug and release builds, and most are "unlimited".
//! - [`OptimizationLevel::None`]: even `Simple` drops code together with its errors, and folds constants.
//! - Fast operators are off, so that the operators of [`super::number`] are asked; why, and what it costs, is said there.
//! - Operations are counted by [`super::budget`], because Rhai forgets what closures used that native functions call.
//! - Subjects and sets reach closures by value (`on_var`): a closure inside a chain on `s` that uses `s` itself would
//!   else end in "data race detected", and only when it is reached.

use std::cell::Cell;

use rhai::module_resolvers::DummyModuleResolver;
use rhai::{Dynamic, Engine, EvalAltResult, LexError, OptimizationLevel, Position, Token};

use crate::model::NoData;

use super::{budget, host, number};

pub(crate) use super::budget::Stop;

/// Depth of function calls. The interpreter recurses natively: this many frames fit in a thread of 2 MiB in debug builds too.
const MAX_CALL_LEVELS: usize = 24;
/// Depth of expressions at the top level of a file.
const MAX_EXPR_DEPTH: usize = 64;
/// Depth of expressions inside functions and closures.
const MAX_FN_EXPR_DEPTH: usize = 32;
/// Bytes of one text.
const MAX_STRING_SIZE: usize = 64 * 1024;
/// Items of one array with all that is in it; bounds the depth of nesting too.
const MAX_ARRAY_SIZE: usize = 10_000;
/// Entries of one map with all that is in it.
const MAX_MAP_SIZE: usize = 10_000;
/// Variables of one scope.
const MAX_VARIABLES: usize = 1_000;
/// Functions and closures of one file.
const MAX_FUNCTIONS: usize = 10_000;
/// Imports of one file.
const MAX_MODULES: usize = 100;

/// No data, as a native function raises it.
pub(crate) fn no_data(reason: NoData) -> Box<EvalAltResult> {
    Stop::NoData { reason, subject: None }.into_error()
}

/// A fault of the script, as a native function raises it; Rhai adds the position of the call.
pub(crate) fn fault(message: impl Into<String>) -> Box<EvalAltResult> {
    Box::new(EvalAltResult::ErrorRuntime(message.into().into(), Position::NONE))
}

/// Counts the work of a native function's own loop.
pub(crate) fn spend(operations: u64) -> Result<(), Box<EvalAltResult>> {
    budget::spend(operations).map_err(Stop::into_error)
}

/// The engine for rules: limits, operators and all host functions.
///
/// The loader adds what only exists while a file loads (`rule`, `param`) and its module resolver
/// ([`Engine::set_module_resolver`]); until then every `import` fails. What runs on the engine runs inside
/// [`budget::run`].
pub(crate) fn engine() -> Engine {
    let mut engine = Engine::new();
    engine
        .set_optimization_level(OptimizationLevel::None)
        .set_fast_operators(false)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        .set_allow_shadowing(true)
        .set_max_call_levels(MAX_CALL_LEVELS)
        .set_max_expr_depths(MAX_EXPR_DEPTH, MAX_FN_EXPR_DEPTH)
        .set_max_string_size(MAX_STRING_SIZE)
        .set_max_array_size(MAX_ARRAY_SIZE)
        .set_max_map_size(MAX_MAP_SIZE)
        .set_max_variables(MAX_VARIABLES)
        .set_max_functions(MAX_FUNCTIONS)
        .set_max_modules(MAX_MODULES)
        // A second net: `budget` stops long before.
        .set_max_operations(budget::PER_STEP.max(budget::PER_LOAD) * 2)
        .set_module_resolver(DummyModuleResolver::new())
        .disable_symbol("eval")
        .on_progress(|_| match budget::spend(1) {
            Ok(()) => None,
            Err(stop) => Some(Dynamic::from(stop)),
        })
        .on_print(budget::print)
        .on_debug(|text, _, position| budget::print(&format!("{position:?}: {text}")));
    #[expect(deprecated, reason = "Rhai marks the hook as volatile by this attribute")]
    engine.on_var(|name, _, context| Ok(context.scope().get(name).and_then(host::by_value)));
    #[expect(deprecated, reason = "Rhai marks the hook as volatile by this attribute")]
    engine.on_parse_token(|token, _, _| refuse_whole_case(token));
    turn_off(&mut engine);
    number::register(&mut engine);
    host::register(&mut engine);
    engine
}

/// The engine for texts in which every expression reports its value: the same, but for room for the reports.
pub(crate) fn watching_engine() -> Engine {
    let mut engine = engine();
    engine.set_max_expr_depths(MAX_EXPR_DEPTH * 3, MAX_FN_EXPR_DEPTH * 3);
    super::trace::register(&mut engine);
    engine
}

thread_local! {
    /// The last two tokens that this thread's parser saw, as far as [`refuse_whole_case`] asks about them.
    static LAST_TOKENS: Cell<(LastToken, LastToken)> = const { Cell::new((LastToken::Other, LastToken::Other)) };
    /// An `if` was seen that no `{` or `=>` has followed yet: what stands before the `=>` is a case's guard.
    static IN_GUARD: Cell<bool> = const { Cell::new(false) };
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LastToken {
    Range,
    WholeNumber,
    Other,
}

/// Refuses a whole number as a case of `switch`, which compares by hash and never finds a field's `3.0` equal to `3`.
/// Ranges compare as numbers.
fn refuse_whole_case(token: Token) -> Token {
    let kind = match &token {
        Token::IntegerConstant(_) => LastToken::WholeNumber,
        Token::ExclusiveRange | Token::InclusiveRange => LastToken::Range,
        _ => LastToken::Other,
    };
    let (before, last) = LAST_TOKENS.get();
    LAST_TOKENS.set((last, kind));
    let is_whole_case = last == LastToken::WholeNumber && before != LastToken::Range && !IN_GUARD.get();
    match &token {
        Token::If => IN_GUARD.set(true),
        Token::LeftBrace | Token::MapStart | Token::DoubleArrow => IN_GUARD.set(false),
        _ => (),
    }
    match token {
        Token::DoubleArrow if is_whole_case => Token::LexError(Box::new(LexError::ImproperSymbol(
            "=>".to_string(),
            "a `switch` never finds a number of a field equal to a whole number: write a range such as `3..=3`, or use `if`"
                .to_string(),
        ))),
        token => token,
    }
}

/// Functions of Rhai's standard library that block or read the clock. They are overridden and not disabled as symbols,
/// because a disabled symbol could not be a field's name either.
fn turn_off(engine: &mut Engine) {
    fn sleep() -> Result<(), Box<EvalAltResult>> {
        Err(fault("`sleep` is off in rules: use `hold` for a condition that must stay true for a while"))
    }
    engine.register_fn("sleep", |_: i64| sleep());
    engine.register_fn("sleep", |_: f64| sleep());
    engine.register_fn("timestamp", || -> Result<(), Box<EvalAltResult>> {
        Err(fault("`timestamp` is off in rules: use `now()`, the time of the evaluation in Unix seconds"))
    });
}

#[cfg(test)]
mod tests;
