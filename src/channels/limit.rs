//! How many attempts a channel's receiver takes in how much time: `20/1m`.

use std::fmt;
use std::time::Duration;

use crate::model::duration;

/// The shortest span of a limit.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest span of a limit.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// The largest count: what is counted is remembered one by one.
const MOST: u32 = 100_000;

/// At most so many attempts in any span of that length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    count: u32,
    per: Duration,
}

/// Why a text is not a limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// It is not `count/duration`.
    #[error("`{0}` is not a limit: write how many in how long, like `20/1m` or `1/1s`, or `none`")]
    Malformed(String),
    /// Nothing would ever be sent.
    #[error("a limit of nothing lets nothing through: the least is 1, and `none` is no limit")]
    Nothing,
    /// More than can be counted.
    #[error("`{0}` is more than the largest limit, which is 100000: write `none` for no limit")]
    TooMany(String),
    /// The span is not a duration.
    #[error(transparent)]
    Span(#[from] duration::Error),
    /// The span is too short or too long.
    #[error("`{0}` is not a span of a limit: it is between 1s and 1d")]
    OutOfRange(String),
}

impl Limit {
    /// A limit of a kind. Both are within the bounds of [`Limit::parse`].
    pub(super) const fn new(count: u32, per: Duration) -> Limit {
        Limit { count, per }
    }

    /// Reads `20/1m`.
    ///
    /// # Errors
    /// Where it is not a count of at least 1 and a duration between a second and a day.
    pub fn parse(text: &str) -> Result<Limit, LimitError> {
        let malformed = || LimitError::Malformed(text.to_string());
        let (count, per) = text.split_once('/').ok_or_else(malformed)?;
        let (count, per) = (count.trim(), per.trim());
        if count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(malformed());
        }
        let count = count.parse().ok().filter(|count| *count <= MOST);
        let count = count.ok_or_else(|| LimitError::TooMany(text.to_string()))?;
        let span = duration::parse(per)?;
        match (count, span) {
            (0, _) => Err(LimitError::Nothing),
            (_, span) if span < SHORTEST || span > LONGEST => Err(LimitError::OutOfRange(per.to_string())),
            (count, per) => Ok(Limit { count, per }),
        }
    }

    /// How many attempts.
    pub const fn count(self) -> usize {
        self.count as usize
    }

    /// In how much time.
    pub const fn per(self) -> Duration {
        self.per
    }
}

/// As it is written.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, duration::format(self.per))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_count_and_a_span() {
        for (text, count, seconds) in
            [("20/1m", 20, 60), ("1/1s", 1, 1), ("100000/1d", 100_000, 86_400), ("5 / 1m30s", 5, 90)]
        {
            let limit = Limit::parse(text).unwrap();
            assert_eq!((limit.count(), limit.per()), (count, Duration::from_secs(seconds)), "{text}");
            assert_eq!(Limit::parse(&limit.to_string()), Ok(limit));
        }
    }

    #[test]
    fn what_is_no_limit_says_how_to_write_one() {
        let cases = [
            ("20", "`20` is not a limit: write how many in how long, like `20/1m` or `1/1s`, or `none`"),
            ("", "`` is not a limit: write how many in how long, like `20/1m` or `1/1s`, or `none`"),
            ("-1/1m", "`-1/1m` is not a limit: write how many in how long, like `20/1m` or `1/1s`, or `none`"),
            ("1.5/1m", "`1.5/1m` is not a limit: write how many in how long, like `20/1m` or `1/1s`, or `none`"),
            ("0/1m", "a limit of nothing lets nothing through: the least is 1, and `none` is no limit"),
            ("100001/1m", "`100001/1m` is more than the largest limit, which is 100000: write `none` for no limit"),
            ("20/60", "`60` has no unit: write `60s` for seconds, `60m` for minutes"),
            ("20/999ms", "`999ms` is not a span of a limit: it is between 1s and 1d"),
            ("20/25h", "`25h` is not a span of a limit: it is between 1s and 1d"),
            ("20/", "a duration is empty: write it like `30s`, `5m` or `1h30m`"),
        ];
        for (text, said) in cases {
            assert_eq!(Limit::parse(text).unwrap_err().to_string(), said, "{text}");
        }
    }
}
