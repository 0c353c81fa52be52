//! Luma and halved chroma, filled up to whole macroblocks.

/// One plane of samples; its sides are multiples of the block's.
pub struct Plane {
    pub width: usize,
    pub samples: Vec<u8>,
}

impl Plane {
    pub fn grey(width: usize, height: usize) -> Self {
        Plane {
            width,
            samples: vec![128; width * height],
        }
    }

    pub fn at(&self, x: usize, y: usize) -> i32 {
        self.samples[y * self.width + x].into()
    }

    pub fn set(&mut self, x: usize, y: usize, value: i32) {
        self.samples[y * self.width + x] = value.clamp(0, 255) as u8;
    }
}

/// A picture as VP8 sees it.
pub struct Planes {
    pub columns: usize,
    pub rows: usize,
    pub luma: Plane,
    pub chroma: [Plane; 2],
}

impl Planes {
    pub fn grey(columns: usize, rows: usize) -> Self {
        Planes {
            columns,
            rows,
            luma: Plane::grey(columns * 16, rows * 16),
            chroma: [0, 1].map(|_| Plane::grey(columns * 8, rows * 8)),
        }
    }

    /// By ITU-R BT.601 with reduced range; edges are repeated.
    pub fn from_rgb(rgb: &[u8], width: usize, height: usize) -> Self {
        let mut planes = Planes::grey(width.div_ceil(16), height.div_ceil(16));
        let pixel = |x: usize, y: usize| {
            let start = (y.min(height - 1) * width + x.min(width - 1)) * 3;
            [0, 1, 2].map(|channel| i32::from(rgb[start + channel]))
        };
        for y in 0..planes.rows * 16 {
            for x in 0..planes.columns * 16 {
                let [r, g, b] = pixel(x, y);
                let luma = (16_839 * r + 33_059 * g + 6_420 * b + (16 << 16) + (1 << 15)) >> 16;
                planes.luma.set(x, y, luma);
            }
        }
        for y in 0..planes.rows * 8 {
            for x in 0..planes.columns * 8 {
                let corners = [(0, 0), (1, 0), (0, 1), (1, 1)];
                let [r, g, b] = corners
                    .map(|(right, down)| pixel(2 * x + right, 2 * y + down))
                    .into_iter()
                    .fold([0; 3], |sum, one| [0, 1, 2].map(|c| sum[c] + one[c]));
                let half = (128 << 18) + (1 << 17);
                let blue = (-9_719 * r - 19_081 * g + 28_800 * b + half) >> 18;
                let red = (28_800 * r - 24_116 * g - 4_684 * b + half) >> 18;
                planes.chroma[0].set(x, y, blue);
                planes.chroma[1].set(x, y, red);
            }
        }
        planes
    }
}
