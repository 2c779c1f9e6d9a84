//! Pixels of photos: gradients and discs, drawn from a seed. Encoding them is left to the caller.

use crate::random::Seed;

/// An image of 8-bit red, green and blue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pixels {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Row by row, three bytes a pixel.
    pub rgb: Vec<u8>,
}

/// Real images a data set's photos share.
pub const SHARED: u8 = 64;

/// The picture of a number: a gradient with a few discs on it.
pub fn draw(number: u64, width: u32, height: u32) -> Pixels {
    let mut rng = Seed(number).stream("picture");
    let mut colour = || [0; 3].map(|_: u8| (rng.next_u64() >> 56) as u8);
    let (top, bottom) = (colour(), colour());
    let mut rgb = Vec::with_capacity(width as usize * height as usize * 3);
    for y in 0..height {
        let down = f64::from(y) / f64::from(height.max(1));
        let blend = |i: usize| (f64::from(top[i]) * (1.0 - down) + f64::from(bottom[i]) * down) as i32;
        let row = [blend(0), blend(1), blend(2)];
        for x in 0..width {
            // A little texture, or the file would compress to nothing.
            let grain = ((x.wrapping_mul(31) ^ y.wrapping_mul(17)) & 15) as i32 - 8;
            rgb.extend(row.map(|channel| (channel + grain).clamp(0, 255) as u8));
        }
    }
    let mut image = Pixels { width, height, rgb };
    let mut rng = Seed(number).stream("discs");
    for _ in 0..6 {
        let (cx, cy) = (rng.below(width as usize) as i64, rng.below(height as usize) as i64);
        let radius = 8 + rng.below(width as usize / 5 + 1) as i64;
        let colour = [0; 3].map(|_: u8| (rng.next_u64() >> 56) as u8);
        image.disc(cx, cy, radius, colour);
    }
    image
}

impl Pixels {
    fn disc(&mut self, cx: i64, cy: i64, radius: i64, colour: [u8; 3]) {
        let rows = (cy - radius).max(0)..(cy + radius).min(i64::from(self.height));
        for y in rows {
            let half = ((radius * radius - (y - cy) * (y - cy)).max(0) as f64).sqrt() as i64;
            let columns = (cx - half).max(0)..(cx + half).min(i64::from(self.width));
            for x in columns {
                let at = (y * i64::from(self.width) + x) as usize * 3;
                self.rgb[at..at + 3].copy_from_slice(&colour);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_picture() {
        let one = draw(7, 64, 48);
        assert_eq!(one, draw(7, 64, 48));
        assert_ne!(one, draw(8, 64, 48));
        assert_eq!(one.rgb.len(), 64 * 48 * 3);
    }
}
