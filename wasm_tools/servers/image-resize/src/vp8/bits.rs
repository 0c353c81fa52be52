//! The arithmetic coder of VP8 (RFC 6386, section 7).

/// Writes booleans of known probability.
pub struct BitWriter {
    out: Vec<u8>,
    range: u32,
    bottom: u32,
    free_bits: u32,
}

impl BitWriter {
    pub fn new() -> Self {
        BitWriter {
            out: Vec::new(),
            range: 255,
            bottom: 0,
            free_bits: 24,
        }
    }

    /// Writes a boolean that is false with a probability of `prob / 256`; gives it back.
    pub fn put(&mut self, bit: bool, prob: u8) -> bool {
        let split = 1 + (((self.range - 1) * u32::from(prob)) >> 8);
        if bit {
            self.bottom = self.bottom.wrapping_add(split);
            self.range -= split;
        } else {
            self.range = split;
        }
        while self.range < 128 {
            self.range <<= 1;
            self.shift();
        }
        bit
    }

    /// Writes the lowest `count` bits of a number, highest first.
    pub fn put_number(&mut self, number: u32, count: u32) {
        for place in (0..count).rev() {
            self.put((number >> place) & 1 == 1, 128);
        }
    }

    fn shift(&mut self) {
        if self.bottom >> 31 == 1 {
            self.carry();
        }
        self.bottom <<= 1;
        self.free_bits -= 1;
        if self.free_bits == 0 {
            self.out.push((self.bottom >> 24) as u8);
            self.bottom &= 0x00ff_ffff;
            self.free_bits = 8;
        }
    }

    fn carry(&mut self) {
        for byte in self.out.iter_mut().rev() {
            let (sum, overflow) = byte.overflowing_add(1);
            *byte = sum;
            if !overflow {
                break;
            }
        }
    }

    /// What was written, filled up so that a reader may look ahead.
    pub fn finish(mut self) -> Vec<u8> {
        for _ in 0..32 {
            self.shift();
        }
        self.out
    }
}
