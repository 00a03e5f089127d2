//! Stored history that was damaged is refused in words, whatever its bytes are; what is read can be written again.
#![no_main]

use larum::history::Block;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // With its own checksum, as nothing else would ever be looked at.
    let packed = [&Block::MAGIC[..], &crc32fast::hash(bytes).to_le_bytes(), bytes].concat();
    if let Ok(block) = Block::unpack(&packed, |_, _| true) {
        let again = Block::unpack(&block.pack(), |_, _| true).expect("what was packed can be read");
        assert_eq!(format!("{block:?}"), format!("{again:?}"));
    }
});
