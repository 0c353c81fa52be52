//! Four whole numbers at once: one vector of Wasm's, or an array elsewhere.

#[cfg(target_arch = "wasm32")]
use std::arch::wasm32::{
    i32x4, i32x4_add, i32x4_extract_lane, i32x4_mul, i32x4_splat, u16x8_extend_low_u8x16, u32x4,
    u32x4_extend_low_u16x8, v128,
};

/// Four signed numbers of 32 bits.
#[derive(Clone, Copy)]
pub struct Lanes(
    #[cfg(target_arch = "wasm32")] v128,
    #[cfg(not(target_arch = "wasm32"))] [i32; 4],
);

#[cfg(target_arch = "wasm32")]
impl Lanes {
    #[inline]
    #[target_feature(enable = "simd128")]
    pub fn all(number: i32) -> Lanes {
        Lanes(i32x4_splat(number))
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    pub fn of([a, b, c, d]: [i32; 4]) -> Lanes {
        Lanes(i32x4(a, b, c, d))
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    pub fn of_bytes(bytes: [u8; 4]) -> Lanes {
        let bytes = u32x4(u32::from_le_bytes(bytes), 0, 0, 0);
        Lanes(u32x4_extend_low_u16x8(u16x8_extend_low_u8x16(bytes)))
    }

    /// Itself and the products of two others.
    #[inline]
    #[target_feature(enable = "simd128")]
    pub fn plus_product(self, one: Lanes, other: Lanes) -> Lanes {
        Lanes(i32x4_add(self.0, i32x4_mul(one.0, other.0)))
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    pub fn numbers(self) -> [i32; 4] {
        [
            i32x4_extract_lane::<0>(self.0),
            i32x4_extract_lane::<1>(self.0),
            i32x4_extract_lane::<2>(self.0),
            i32x4_extract_lane::<3>(self.0),
        ]
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Lanes {
    pub fn all(number: i32) -> Lanes {
        Lanes([number; 4])
    }

    pub fn of(numbers: [i32; 4]) -> Lanes {
        Lanes(numbers)
    }

    pub fn of_bytes(bytes: [u8; 4]) -> Lanes {
        Lanes(bytes.map(i32::from))
    }

    /// Itself and the products of two others.
    pub fn plus_product(self, one: Lanes, other: Lanes) -> Lanes {
        Lanes([0, 1, 2, 3].map(|lane| self.0[lane] + one.0[lane] * other.0[lane]))
    }

    pub fn numbers(self) -> [i32; 4] {
        self.0
    }
}
