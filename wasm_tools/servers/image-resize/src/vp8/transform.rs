//! The transforms of 4 x 4 blocks, forth as cosines and back as every decoder does (RFC 6386,
//! section 14).

pub type Block = [i32; 16];

// Rows are twice the orthonormal cosines, so that a flat block of d becomes 8 d.
const COSINES: [[f32; 4]; 4] = [
    [0.5, 0.5, 0.5, 0.5],
    [0.653_281_5, 0.270_598_05, -0.270_598_05, -0.653_281_5],
    [0.5, -0.5, -0.5, 0.5],
    [0.270_598_05, -0.653_281_5, 0.653_281_5, -0.270_598_05],
];
const WALSH: [[i32; 4]; 4] = [[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, -1, 1], [1, -1, 1, -1]];

/// From differences of pixels to coefficients.
pub fn forward(pixels: &Block) -> Block {
    let mut rows = [0f32; 16];
    let mut out = [0; 16];
    for y in 0..4 {
        for k in 0..4 {
            rows[y * 4 + k] = (0..4)
                .map(|x| COSINES[k][x] * pixels[y * 4 + x] as f32)
                .sum();
        }
    }
    for k in 0..4 {
        for x in 0..4 {
            let sum: f32 = (0..4).map(|y| COSINES[k][y] * rows[y * 4 + x]).sum();
            out[k * 4 + x] = (2.0 * sum).round() as i32;
        }
    }
    out
}

/// From coefficients to differences of pixels.
pub fn inverse(coefficients: &Block) -> Block {
    let mut halfway = [0; 16];
    let mut out = [0; 16];
    for x in 0..4 {
        let column = [0, 4, 8, 12].map(|row| coefficients[row + x]);
        for (row, value) in butterfly(column).into_iter().enumerate() {
            halfway[row * 4 + x] = value;
        }
    }
    for (from, to) in halfway.chunks_exact(4).zip(out.chunks_exact_mut(4)) {
        let row = butterfly([from[0], from[1], from[2], from[3]]);
        for (value, place) in row.into_iter().zip(to) {
            *place = (value + 4) >> 3;
        }
    }
    out
}

fn butterfly([a, b, c, d]: [i32; 4]) -> [i32; 4] {
    let wide = |value: i32| value + ((value * 20_091) >> 16);
    let narrow = |value: i32| (value * 35_468) >> 16;
    let (sum, difference) = (a + c, a - c);
    let (inner, outer) = (narrow(b) - wide(d), wide(b) + narrow(d));
    [
        sum + outer,
        difference + inner,
        difference - inner,
        sum - outer,
    ]
}

fn walsh(block: &Block) -> Block {
    let mut rows = [0; 16];
    let mut out = [0; 16];
    for y in 0..4 {
        for k in 0..4 {
            rows[y * 4 + k] = (0..4).map(|x| WALSH[k][x] * block[y * 4 + x]).sum();
        }
    }
    for k in 0..4 {
        for x in 0..4 {
            out[k * 4 + x] = (0..4).map(|y| WALSH[k][y] * rows[y * 4 + x]).sum();
        }
    }
    out
}

/// From the first coefficients of sixteen blocks to those of a block of their own.
pub fn forward_walsh(firsts: &Block) -> Block {
    walsh(firsts).map(|value| value >> 1)
}

/// The way back.
pub fn inverse_walsh(coefficients: &Block) -> Block {
    walsh(coefficients).map(|value| (value + 3) >> 3)
}
