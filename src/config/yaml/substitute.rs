//! `${env:NAME}`, `${file:path}` and `${env-public:NAME}` inside one scalar.
//!
//! It works on scalars that are parsed already, so that no value can change the shape of the document.

use crate::config::Surroundings;

/// Where the text of a scalar came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It stands in the file.
    File,
    /// A part of it came from `${env-public:..}`.
    Public,
    /// A part of it came from `${env:..}` or `${file:..}`.
    Secret,
}

/// A scalar after substitution.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Substituted {
    /// The text.
    pub(super) text: String,
    /// Where it came from.
    pub(super) origin: Origin,
    /// The secrets in it.
    pub(super) secrets: Vec<String>,
}

/// Why a scalar has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unresolved {
    /// The token as written: `${env:NAME}`.
    pub(super) token: String,
    /// What is wrong.
    pub(super) message: String,
    /// What to do.
    pub(super) hint: Option<String>,
}

const FORMS: &str = "write `${env:NAME}`, `${file:path}` or `${env-public:NAME}`, and `$${` for a literal `${`";

/// Replaces all tokens of a scalar; `$${` stands for a literal `${`.
pub(super) fn substitute(scalar: &str, surroundings: &dyn Surroundings) -> Result<Substituted, Unresolved> {
    let mut result = Substituted { text: String::new(), origin: Origin::File, secrets: Vec::new() };
    let mut rest = scalar;
    while let Some(start) = rest.find("${") {
        if rest[..start].ends_with('$') {
            result.text.push_str(&rest[..start - 1]);
            result.text.push_str("${");
            rest = &rest[start + 2..];
            continue;
        }
        result.text.push_str(&rest[..start]);
        let Some(length) = rest[start..].find('}') else {
            let token = rest[start..].to_string();
            return Err(Unresolved {
                token,
                message: "`${` has no closing `}`".to_string(),
                hint: Some(FORMS.to_string()),
            });
        };
        let token = &rest[start..=start + length];
        let (value, origin) = resolve(token, surroundings)?;
        if origin == Origin::Secret {
            result.secrets.push(value.clone());
        }
        result.text.push_str(&value);
        if result.origin != Origin::Secret {
            result.origin = origin;
        }
        rest = &rest[start + length + 1..];
    }
    result.text.push_str(rest);
    Ok(result)
}

fn resolve(token: &str, surroundings: &dyn Surroundings) -> Result<(String, Origin), Unresolved> {
    let unresolved = |message: String, hint: Option<String>| Unresolved { token: token.to_string(), message, hint };
    let inner = &token[2..token.len() - 1];
    let (source, name) = inner.split_once(':').unwrap_or((inner, ""));
    if !matches!(source, "env" | "file" | "env-public") || name.is_empty() {
        return Err(unresolved(format!("`{token}` is not a substitution"), Some(FORMS.to_string())));
    }
    let set = |name: &str| {
        surroundings.env(name).ok_or_else(|| {
            unresolved(
                format!("the environment variable `{name}` is not set"),
                Some(format!("set it where `larum` is started: `export {name}=..`")),
            )
        })
    };
    match source {
        "env-public" => Ok((set(name)?, Origin::Public)),
        "env" => {
            let value = set(name)?;
            if value.is_empty() {
                return Err(unresolved(format!("the environment variable `{name}` is set, but empty"), None));
            }
            Ok((value, Origin::Secret))
        }
        _ => {
            let value = surroundings
                .file(name)
                .map_err(|reason| unresolved(format!("cannot read the file `{name}`: {reason}"), None))?;
            if value.is_empty() {
                return Err(unresolved(format!("the file `{name}` is empty"), None));
            }
            Ok((value, Origin::Secret))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Fixed;

    #[track_caller]
    fn check(scalar: &str, text: &str, origin: Origin) {
        let mut surroundings = Fixed::env([("A", "aa"), ("ZONE", "UTC"), ("LOOP", "${env:A}")]);
        surroundings.files.insert("t".into(), "from file\n".into());
        let result = substitute(scalar, &surroundings).unwrap();
        assert_eq!((result.text.as_str(), result.origin), (text, origin));
    }

    #[test]
    fn tokens_are_replaced_wherever_they_stand_and_only_once() {
        check("plain", "plain", Origin::File);
        check("${env:A}", "aa", Origin::Secret);
        check("Bearer ${env:A}!", "Bearer aa!", Origin::Secret);
        check("${env-public:ZONE}", "UTC", Origin::Public);
        check("${env:A}/${env-public:ZONE}", "aa/UTC", Origin::Secret);
        check("${env-public:ZONE}/${env:A}", "UTC/aa", Origin::Secret);
        check("${file:t}", "from file", Origin::Secret);
        check("${env:LOOP}", "${env:A}", Origin::Secret);
        check("$${env:A}", "${env:A}", Origin::File);
        check("costs $5 {x}", "costs $5 {x}", Origin::File);
    }

    #[test]
    fn what_cannot_be_replaced_says_why() {
        let surroundings = Fixed::env([("EMPTY", "")]);
        let message = |scalar| substitute(scalar, &surroundings).unwrap_err().message;
        assert_eq!(message("${env:NO}"), "the environment variable `NO` is not set");
        assert_eq!(message("${env:EMPTY}"), "the environment variable `EMPTY` is set, but empty");
        assert_eq!(message("x${file:no}"), "cannot read the file `no`: no such file");
        assert_eq!(message("${NO}"), "`${NO}` is not a substitution");
        assert_eq!(message("${env:}"), "`${env:}` is not a substitution");
        assert_eq!(message("${env:NO"), "`${` has no closing `}`");
    }
}
