//! When an X.509 certificate ends. Pure: a reader of just as much DER as that takes (RFC 5280, section 4.1; X.690).

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The certificate's `notAfter` in Unix seconds. `None` where the bytes are no certificate.
pub(super) fn not_after(der: &[u8]) -> Option<i64> {
    let (certificate, _) = expect(der, SEQUENCE)?;
    let (tbs, _) = expect(certificate, SEQUENCE)?;
    // The version is left out of certificates of version 1.
    let rest = expect(tbs, VERSION).map_or(tbs, |(_, rest)| rest);
    let (_serial, rest) = expect(rest, INTEGER)?;
    let (_signature, rest) = expect(rest, SEQUENCE)?;
    let (_issuer, rest) = expect(rest, SEQUENCE)?;
    let (validity, _) = expect(rest, SEQUENCE)?;
    let (_, _not_before, rest) = element(validity)?;
    let (tag, not_after, _) = element(rest)?;
    let text = std::str::from_utf8(not_after).ok()?.strip_suffix('Z')?;
    match tag {
        // Two digits of the year: 50 to 99 are of the last century.
        UTC_TIME => {
            let century = if text.get(..2)?.parse::<u8>().ok()? >= 50 { "19" } else { "20" };
            unix(&format!("{century}{text}"))
        }
        GENERALIZED_TIME => unix(text),
        _ => None,
    }
}

/// `20301231235959` in UTC.
fn unix(text: &str) -> Option<i64> {
    if text.len() != 14 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |range: std::ops::Range<usize>| text[range].parse::<i8>().ok();
    let year = text[..4].parse::<i16>().ok()?;
    let date =
        jiff::civil::DateTime::new(year, part(4..6)?, part(6..8)?, part(8..10)?, part(10..12)?, part(12..14)?, 0);
    // 99991231235959Z says that there is no end (RFC 5280, section 4.1.2.5), and is a day past jiff's last timestamp.
    let zoned = date.ok()?.to_zoned(jiff::tz::TimeZone::UTC);
    Some(zoned.map_or(jiff::Timestamp::MAX, |zoned| zoned.timestamp()).as_second())
}

/// The content of the element that comes first, where it has this tag, and what follows it.
fn expect(der: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = element(der)?;
    (tag == wanted).then_some((content, rest))
}

/// The element that comes first: its tag, its content, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first >= 0x80 {
        let n_bytes = usize::from(first & 0x7f);
        // Four bytes of length are 4 GiB; none is the indefinite form, which DER forbids.
        if !(1..=4).contains(&n_bytes) {
            return None;
        }
        let (bytes, after) = rest.split_at_checked(n_bytes)?;
        length = bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        rest = after;
    }
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = content.len();
        let head = match length {
            0..=0x7f => vec![tag, length as u8],
            _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
        };
        [head, content.to_vec()].concat()
    }

    fn certificate(version: bool, tag: u8, not_after: &str) -> Vec<u8> {
        let validity = [der(UTC_TIME, b"200101000000Z"), der(tag, not_after.as_bytes())].concat();
        let version = if version { der(VERSION, &der(INTEGER, &[2])) } else { vec![] };
        let issuer = der(SEQUENCE, &[0; 200]);
        let tbs = [version, der(INTEGER, &[1]), der(SEQUENCE, &[]), issuer, der(SEQUENCE, &validity)].concat();
        der(SEQUENCE, &der(SEQUENCE, &tbs))
    }

    #[test]
    fn both_forms_of_time_are_read() {
        let cases = [
            (true, UTC_TIME, "301231235959Z", Some(1_924_991_999)),
            (false, UTC_TIME, "301231235959Z", Some(1_924_991_999)),
            (true, UTC_TIME, "991231235959Z", Some(946_684_799)),
            (true, GENERALIZED_TIME, "20501231235959Z", Some(2_556_143_999)),
            (true, GENERALIZED_TIME, "99991231235959Z", Some(jiff::Timestamp::MAX.as_second())),
            (true, UTC_TIME, "301331235959Z", None),
            (true, UTC_TIME, "3012312359Z", None),
            (true, UTC_TIME, "301231235959+0100", None),
            (true, INTEGER, "301231235959Z", None),
        ];
        for (version, tag, text, expected) in cases {
            assert_eq!(not_after(&certificate(version, tag, text)), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0..400_usize, flip in 0..400_usize) {
            let _ = not_after(&bytes);
            let mut whole = certificate(true, UTC_TIME, "301231235959Z");
            let n_bytes = whole.len();
            whole[flip % n_bytes] ^= 0xff;
            let _ = not_after(&whole[..cut.min(n_bytes)]);
        }
    }
}
