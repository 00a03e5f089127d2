//! Rhai's errors as diagnostics that say what to do.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{AST, Engine, EvalAltResult, LexError, ParseError, ParseErrorType};

use crate::diagnostic::{Diagnostic, did_you_mean};

use super::analyse::Place;
use super::analyse::calls::{self, Known, Surroundings};
use super::analyse::script::Script;
use super::script::Stop;

/// A text that is not a script.
pub(crate) fn of_parse_error(file: &Arc<str>, text: &str, error: &ParseError) -> Diagnostic {
    of_parse(file, text, error.err_type(), error.position().into())
}

fn of_parse(file: &Arc<str>, text: &str, kind: &ParseErrorType, place: Place) -> Diagnostic {
    let (message, hint) = parse_message(text, kind, place);
    // Rhai gives the end of the file no place.
    let place = if place.is_known() { place } else { end_of(text) };
    let length = Word::at(text, place).map_or(1, |word| word.text.chars().count());
    let diagnostic = Diagnostic::error(file.clone(), text, place.line, place.column, message).with_length(length);
    match hint {
        Some(hint) => diagnostic.with_hint(hint),
        None => diagnostic,
    }
}

fn parse_message(text: &str, kind: &ParseErrorType, place: Place) -> (String, Option<String>) {
    if let Some(word) = Word::at(text, place)
        && is_reserved(word.text)
    {
        let name = word.text;
        if word.after == Some(':') && matches!(word.before, Some('{' | ',')) {
            let hint = match name {
                "for" => "the key is `hold`".to_string(),
                _ => format!("write it in quotes: `\"{name}\": ..`"),
            };
            return (format!("`{name}` is a word of the language and cannot be a key"), Some(hint));
        }
        if word.before == Some('.') {
            let hint = format!("write `[\"{name}\"]`");
            return (format!("`{name}` is a word of the language and cannot stand after a dot"), Some(hint));
        }
    }
    if let Some((found, meant)) = char_at(text, place).and_then(|found| Some((found, plain(found)?))) {
        return (format!("unexpected `{found}`"), Some(format!("write `{meant}`")));
    }
    match kind {
        ParseErrorType::UnexpectedEOF => {
            ("the file ends too early".into(), Some("a bracket or a text is not closed".into()))
        }
        ParseErrorType::BadInput(LexError::UnterminatedString) => {
            ("the text is not closed".into(), Some("add the missing quote".into()))
        }
        ParseErrorType::BadInput(LexError::ImproperSymbol(word, _)) if word == "eval" => {
            ("`eval` is off in rules".into(), None)
        }
        ParseErrorType::MissingToken(token, purpose) => {
            let hint = match Word::at(text, place).map(|word| word.text) {
                Some("and") => Some("write `&&`".to_string()),
                Some("or") => Some("write `||`".to_string()),
                _ => (token == ",").then(|| "is a comma missing before it?".to_string()),
            };
            (format!("expected `{token}` {purpose}"), hint)
        }
        ParseErrorType::Reserved(word) if is_reserved(word) => (format!("`{word}` is a word of the language"), None),
        ParseErrorType::Reserved(symbol) => (format!("unexpected `{symbol}`"), None),
        ParseErrorType::DuplicatedProperty(key) => (format!("the key `{key}` stands here twice"), None),
        ParseErrorType::VariableUndefined(name) => {
            (format!("unknown variable `{name}`"), hint_for_variable(text, name))
        }
        ParseErrorType::ModuleUndefined(name) => {
            (format!("unknown module `{name}`"), Some(format!("import it at the top: `import \"..\" as {name};`")))
        }
        ParseErrorType::FnDuplicatedDefinition(name, n) => {
            (format!("the function `{name}` with {n} parameters is defined twice"), None)
        }
        ParseErrorType::AssignmentToConstant(name) => (format!("`{name}` is a constant"), None),
        other => (sentence(&other.to_string()), None),
    }
}

fn char_at(text: &str, place: Place) -> Option<char> {
    text.lines().nth(place.line.checked_sub(1)?)?.chars().nth(place.column.checked_sub(1)?)
}

/// What was meant by a character that a word processor or a Chinese keyboard wrote.
fn plain(typographic: char) -> Option<char> {
    Some(match typographic {
        '“' | '”' | '„' | '＂' | '‘' | '’' => '"',
        '，' | '、' => ',',
        '：' => ':',
        '；' => ';',
        '（' => '(',
        '）' => ')',
        '｛' => '{',
        '｝' => '}',
        '｜' => '|',
        '＃' => '#',
        '＞' => '>',
        '＜' => '<',
        '＝' => '=',
        '！' => '!',
        _ => return None,
    })
}

/// Rhai's text as ours: it begins with a lowercase letter and names things in backticks.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_lowercase().to_string()).unwrap_or_default();
    (first + chars.as_str()).replace('\'', "`")
}

fn hint_for_variable(text: &str, name: &str) -> Option<String> {
    if matches!(name, "s" | "g" | "x") {
        return Some(format!("a closure begins with its argument: `|{name}| ..`"));
    }
    let all = words(text).collect::<Vec<_>>();
    let defined = all.windows(2).filter(|pair| matches!(pair[0], "let" | "const" | "for")).map(|pair| pair[1]);
    let arguments = text.split('|').filter_map(|part| words(part).next());
    did_you_mean(name, defined.chain(arguments)).or_else(|| {
        text.contains(&format!("const {name}"))
            .then(|| "a `fn` sees only its arguments: pass it, or use a closure".to_string())
    })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

/// The calls of a script that cannot work on an engine.
pub(crate) fn of_calls(file: &Arc<str>, text: &str, ast: &AST, engine: &Engine) -> Vec<Diagnostic> {
    let script = Script::new(file.clone(), text.into(), ast.clone());
    calls::check(&script, &Surroundings { engine: &Known::of_engine(engine), imports: &BTreeMap::new() })
}

/// An error that ended the run of a file.
pub(crate) fn of_run_error(file: &Arc<str>, path: &str, text: &str, error: EvalAltResult) -> Diagnostic {
    let (place, message, hint) = run_message(path, text, error);
    let length = Word::at(text, place).map_or(1, |word| word.text.chars().count());
    let diagnostic = Diagnostic::error(file.clone(), text, place.line, place.column, message).with_length(length);
    match hint {
        Some(hint) => diagnostic.with_hint(hint),
        None => diagnostic,
    }
}

fn run_message(path: &str, text: &str, mut error: EvalAltResult) -> (Place, String, Option<String>) {
    if let Some(Stop::Exhausted(_)) = Stop::of(&error) {
        let place = error.position().into();
        let hint = "a file runs once when it is loaded: it should only register rules".to_string();
        return (place, "the file takes too long to load".into(), Some(hint));
    }
    let place: Place = error.take_position().into();
    match error {
        EvalAltResult::ErrorInFunctionCall(name, source, inner, _) => {
            let (inner_place, message, hint) = run_message(path, text, *inner);
            // A place in another file says nothing here: the call does.
            if source.is_empty() || source == path {
                (inner_place.or(place), message, hint)
            } else {
                let at = format!("in `{name}` at line {} of `{source}`: {message}", inner_place.line);
                (place, at, hint)
            }
        }
        EvalAltResult::ErrorInModule(module, inner, _) => {
            let (inner_place, message, hint) = run_message(&module, "", *inner);
            (place, format!("`{module}` cannot be imported: line {}: {message}", inner_place.line), hint)
        }
        EvalAltResult::ErrorParsing(kind, _) => {
            let (message, hint) = parse_message(text, &kind, place);
            (place, message, hint)
        }
        EvalAltResult::ErrorRuntime(value, _) => (place, value.to_string(), None),
        EvalAltResult::ErrorVariableNotFound(name, _) => {
            let hint = hint_for_variable(text, &name);
            (place, format!("unknown variable `{name}`"), hint)
        }
        EvalAltResult::ErrorFunctionNotFound(signature, _) => (
            place,
            format!("unknown function `{}`", signature.replace("&str | ImmutableString | String", "text")),
            None,
        ),
        other => match Stop::of(&other) {
            Some(Stop::NoData { reason, .. }) => (place, format!("no data while the file loads: {reason}"), None),
            _ => (place, sentence(&other.to_string()), None),
        },
    }
}

/// The place after the last character.
fn end_of(text: &str) -> Place {
    let line = text.lines().count().max(1);
    Place { line, column: text.lines().last().map_or(0, |line| line.chars().count()) + 1 }
}

/// A word in a text, with its neighbours.
struct Word<'a> {
    text: &'a str,
    /// The last character before it that is not space.
    before: Option<char>,
    /// The first character after it that is not space.
    after: Option<char>,
}

impl Word<'_> {
    fn at(text: &str, place: Place) -> Option<Word<'_>> {
        let line_start: usize = text.split_inclusive('\n').take(place.line.checked_sub(1)?).map(str::len).sum();
        let line = text.get(line_start..)?;
        let column: usize = line.chars().take(place.column.checked_sub(1)?).map(char::len_utf8).sum();
        let start = line_start + column;
        let rest = text.get(start..)?;
        let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        (length > 0).then(|| Word {
            text: &rest[..length],
            before: text[..start].trim_end().chars().next_back(),
            after: rest[length..].trim_start().chars().next(),
        })
    }
}

/// Words that Rhai keeps for itself, now or later.
fn is_reserved(word: &str) -> bool {
    const WORDS: &str = " let const if else switch do while until loop for in continue break return throw try catch import \
        export as private fn true false this var static shared goto match case public protected new use with is module \
        package super thread spawn go await async sync yield default void null nil global print debug type_of eval Fn call \
        curry is_def_var is_def_fn is_shared ";
    WORDS.split_whitespace().any(|reserved| reserved == word)
}
