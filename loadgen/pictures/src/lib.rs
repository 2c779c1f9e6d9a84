//! Real image files, for uploads and data sets: JPEG, made from drawn pixels. A crate of its own, which is optimised in every
//! build: the generic code of the encoder is compiled where it is used, and each run draws over a hundred files before its load.

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};
use traffic::images::draw;

/// Size of a picture, pixels.
pub const WIDTH: u32 = 640;
/// Size of a picture, pixels.
pub const HEIGHT: u32 = 480;
/// Longest side of a thumbnail, pixels.
pub const THUMBNAIL: u32 = 320;
/// JPEG quality.
const QUALITY: u8 = 80;

/// A picture's file.
pub fn jpeg(number: u64) -> Bytes {
    encode(number, WIDTH, HEIGHT)
}

/// A picture's thumbnail file: the same drawing, smaller.
pub fn thumbnail(number: u64) -> Bytes {
    encode(number, THUMBNAIL, THUMBNAIL * HEIGHT / WIDTH)
}

fn encode(number: u64, width: u32, height: u32) -> Bytes {
    let pixels = draw(number, width, height);
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, QUALITY)
        .write_image(&pixels.rgb, width, height, ExtendedColorType::Rgb8)
        .expect("pixels of the right number");
    file.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_file_of_its_size_and_a_smaller_one() {
        let (picture, small) = (jpeg(7), thumbnail(7));
        assert_eq!(picture, jpeg(7));
        assert_ne!(picture, jpeg(8));
        let size = |file: &Bytes| {
            let decoded = image::load_from_memory(file).expect("a picture");
            (decoded.width(), decoded.height())
        };
        assert_eq!((size(&picture), size(&small)), ((WIDTH, HEIGHT), (THUMBNAIL, 240)));
    }
}
