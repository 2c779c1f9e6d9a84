//! Bytes to a checked picture and its thumbnail; a decompression bomb is refused by its header, unopened.

use std::io::Cursor;

use bytes::Bytes;
use contract::{Refusal, RefusalKind};
use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};

use crate::decoding_memory::{jpeg_coefficients, webp_working_bytes};

/// Longest side, pixels.
pub const MAX_SIDE_PIXELS: u32 = 8_000;
/// Most pixels: a 32-megapixel camera's.
pub const MAX_PIXELS: u64 = 32_000_000;
/// Most memory a picture may take while it is decoded, bytes: 32 Mpx of 8-bit RGB are
/// 92 MiB. An alpha channel or 16 bits a channel leave fewer pixels, and so does what a decoder holds beside them: of a
/// progressive JPEG 11 Mpx or more, of a lossy WebP 22 Mpx.
pub const MAX_DECODED_BYTES: u64 = 96 << 20;
/// What a decoder may allocate in all: the picture, and room of its own.
const MAX_DECODER_BYTES: u64 = MAX_DECODED_BYTES + (16 << 20);
/// Longest side of a thumbnail, pixels.
pub const THUMBNAIL_SIDE_PIXELS: u32 = 320;
/// Where JPEG's artefacts begin to disappear at this size; about 15 kB a thumbnail.
const THUMBNAIL_QUALITY: u8 = 80;

/// The formats we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `image/jpeg`.
    Jpeg,
    /// `image/png`.
    Png,
    /// `image/webp`.
    WebP,
}

/// Their media types.
pub const MEDIA_TYPES: &[&str] =
    &[Format::Jpeg.media_type(), Format::Png.media_type(), Format::WebP.media_type()];

impl Format {
    const ALL: [Self; 3] = [Self::Jpeg, Self::Png, Self::WebP];

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
        }
    }

    const fn codec(self) -> ImageFormat {
        match self {
            Self::Jpeg => ImageFormat::Jpeg,
            Self::Png => ImageFormat::Png,
            Self::WebP => ImageFormat::WebP,
        }
    }

    /// The declared format, which the bytes must match.
    ///
    /// # Errors
    /// 415 for another media type, another content, or a lie about it.
    pub fn checked(declared: Option<&str>, bytes: &[u8]) -> Result<Self, Refusal> {
        let unsupported = |code, message: String| Refusal::new(RefusalKind::Unsupported, code, message);
        let essence = declared.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let format = Self::ALL
            .into_iter()
            .find(|format| essence.eq_ignore_ascii_case(format.media_type()))
            .ok_or_else(|| {
            let message = "send Content-Type image/jpeg, image/png or image/webp".to_owned();
            unsupported("media_type_unsupported", message)
        })?;
        let content = image::guess_format(bytes).ok();
        if content == Some(format.codec()) {
            return Ok(format);
        }
        let found = content.map_or("nothing we read", |other| other.to_mime_type());
        Err(unsupported("media_type_mismatch", format!("the body is {found}, not {}", format.media_type())))
    }
}

/// A picture that has been decoded from end to end.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Pixels, as it should be shown.
    pub width: u32,
    /// Pixels, as it should be shown.
    pub height: u32,
    /// JPEG, at most [`THUMBNAIL_SIDE_PIXELS`] on its longer side.
    pub thumbnail: Bytes,
}

/// Memory that a picture takes while it is decoded, bytes, by what the file promises.
///
/// # Errors
/// 422 `image_too_large`, or `image_broken` where there is no header, or one that promises less than its parts.
pub fn decoded_bytes(format: Format, bytes: &[u8]) -> Result<u64, Refusal> {
    decoder(format, bytes).map(|(_, memory)| memory)
}

/// Decodes a picture and makes its thumbnail. Takes CPU for up to a second: not for async threads.
///
/// # Errors
/// 422 `image_too_large` by what the header promises, before anything is
/// decoded; 422 `image_broken` for what cannot be decoded to its end.
pub fn decode(format: Format, bytes: &[u8]) -> Result<Picture, Refusal> {
    let (mut decoder, _) = decoder(format, bytes)?;
    let (mut width, mut height) = decoder.dimensions();
    // Decoders of JPEG fill what is missing with grey, so its end is looked for first.
    if format == Format::Jpeg && !ends_like_jpeg(bytes) {
        return Err(broken("the JPEG stops before its end"));
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(refusal)?;
    if turns(orientation) {
        std::mem::swap(&mut width, &mut height);
    }
    Ok(Picture { width, height, thumbnail: thumbnail(image, orientation)? })
}

/// What decodes a picture that is not too large by its header, and the memory that takes; nothing is decoded yet.
fn decoder(format: Format, bytes: &[u8]) -> Result<(impl ImageDecoder, u64), Refusal> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE_PIXELS);
    limits.max_image_height = Some(MAX_SIDE_PIXELS);
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format.codec());
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(refusal)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(too_large());
    }
    let working = match format {
        Format::Jpeg => jpeg_coefficients(bytes, width, height),
        Format::Png => 0,
        Format::WebP => webp_working_bytes(bytes, width, height, MAX_DECODED_BYTES).map_err(broken)?,
    };
    let memory = decoder.total_bytes() + working;
    if memory > MAX_DECODED_BYTES {
        return Err(too_large());
    }
    Ok((decoder, memory))
}

fn too_large() -> Refusal {
    Refusal::new(
        RefusalKind::Unprocessable,
        "image_too_large",
        format!(
            "a photo has at most {MAX_SIDE_PIXELS} pixels a side, {} megapixels in all and {} MiB while it is decoded",
            MAX_PIXELS / 1_000_000,
            MAX_DECODED_BYTES >> 20,
        ),
    )
}

pub(crate) fn broken(why: impl std::fmt::Display) -> Refusal {
    Refusal::new(RefusalKind::Unprocessable, "image_broken", format!("the image cannot be read: {why}"))
}

fn refusal(error: ImageError) -> Refusal {
    match error {
        ImageError::Limits(_) => too_large(),
        ImageError::Unsupported(why) => Refusal::new(
            RefusalKind::Unsupported,
            "image_unsupported",
            format!("this kind of image is not one we read: {why}"),
        ),
        other => broken(other),
    }
}

/// Whether showing the picture upright exchanges its sides.
fn turns(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

fn thumbnail(image: DynamicImage, orientation: Orientation) -> Result<Bytes, Refusal> {
    let fits = image.width().max(image.height()) <= THUMBNAIL_SIDE_PIXELS;
    let mut small = if fits { image } else { image.thumbnail(THUMBNAIL_SIDE_PIXELS, THUMBNAIL_SIDE_PIXELS) };
    small.apply_orientation(orientation);
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, THUMBNAIL_QUALITY)
        .encode_image(&on_white(&small))
        .map_err(|error| Refusal::internal(format!("the thumbnail could not be made: {error}")))?;
    Ok(jpeg.into())
}

/// JPEG knows no transparency: what shines through is white paper.
fn on_white(image: &DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.to_rgb8();
    }
    let rgba = image.to_rgba8();
    RgbImage::from_fn(rgba.width(), rgba.height(), |x, y| {
        let [r, g, b, a] = rgba.get_pixel(x, y).0.map(u32::from);
        let blend = |channel: u32| ((channel * a + 255 * (255 - a) + 127) / 255) as u8;
        image::Rgb([blend(r), blend(g), blend(b)])
    })
}

/// Whether a JPEG's segments and scans reach the end-of-image marker
/// (ITU-T T.81, B.1.1): a picture cut off in transit does not.
fn ends_like_jpeg(bytes: &[u8]) -> bool {
    // Past the start-of-image marker, `FF D8`.
    let mut at = 2;
    loop {
        // Markers are `FF` and a byte that is neither a fill byte nor a stuffed zero;
        // between them lies entropy-coded data, or nothing.
        let Some(&[lead, marker]) = bytes.get(at..at + 2) else { return false };
        match (lead, marker) {
            (0xff, 0xd9) => return true,
            (0xff, 0x00 | 0x01 | 0xd0..=0xd8) => at += 2,
            (0xff, 0xff) => at += 1,
            (0xff, _) => {
                // Every other marker is followed by the length of its segment, itself included.
                let Some(&[high, low]) = bytes.get(at + 2..at + 4) else { return false };
                at += 2 + usize::from(u16::from_be_bytes([high, low])).max(2);
            }
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(image: &DynamicImage, format: Format) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format.codec()).expect("encodes");
        bytes.into_inner()
    }

    fn gradient(width: u32, height: u32) -> DynamicImage {
        let colour = |x: u32, y: u32| image::Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, 128]);
        DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, colour))
    }

    fn code<T>(result: Result<T, Refusal>) -> (u16, String) {
        let refusal = result.err().expect("refused");
        (refusal.kind.status(), refusal.code.into_owned())
    }

    /// CRC-32 as PNG chunks carry it (RFC 1952, section 8), bit by bit.
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
        })
    }

    /// A small PNG whose header promises `side` pixels each way.
    fn bomb(side: u32) -> Vec<u8> {
        let mut png = encoded(&gradient(4, 4), Format::Png);
        png[16..20].copy_from_slice(&side.to_be_bytes());
        png[20..24].copy_from_slice(&side.to_be_bytes());
        let crc = crc32(&png[12..29]);
        png[29..33].copy_from_slice(&crc.to_be_bytes());
        png
    }

    #[test]
    fn every_format_is_decoded_and_shrunk_to_fit() {
        for format in Format::ALL {
            let bytes = encoded(&gradient(1280, 640), format);
            assert_eq!(Format::checked(Some(format.media_type()), &bytes).expect("agrees"), format);
            let picture = decode(format, &bytes).expect("a good picture");
            assert_eq!((picture.width, picture.height), (1280, 640));
            // 1280 x 640 into 320 x 320 keeps its shape: a quarter each way.
            let thumbnail = image::load_from_memory(&picture.thumbnail).expect("a JPEG");
            assert_eq!((thumbnail.width(), thumbnail.height()), (320, 160));
        }
    }

    #[test]
    fn a_small_picture_is_not_blown_up() {
        let picture = decode(Format::Png, &encoded(&gradient(20, 10), Format::Png)).expect("a good picture");
        let thumbnail = image::load_from_memory(&picture.thumbnail).expect("a JPEG");
        assert_eq!((thumbnail.width(), thumbnail.height()), (20, 10));
    }

    #[test]
    fn what_shines_through_is_white() {
        let clear = DynamicImage::ImageRgba8(image::RgbaImage::from_pixel(8, 8, image::Rgba([0, 0, 0, 0])));
        let picture = decode(Format::Png, &encoded(&clear, Format::Png)).expect("a good picture");
        let thumbnail = image::load_from_memory(&picture.thumbnail).expect("a JPEG").to_rgb8();
        assert!(thumbnail.pixels().all(|pixel| pixel.0.iter().all(|&channel| channel > 250)));
    }

    #[test]
    fn a_bomb_is_refused_by_its_header() {
        // 60,000 x 60,000 would be 10.8 GB of RGB; the file has a hundred bytes or so.
        assert_eq!(code(decode(Format::Png, &bomb(60_000))), (422, "image_too_large".into()));
        // Within 8,000 a side, but 49 Mpx.
        assert_eq!(code(decode(Format::Png, &bomb(7_000))), (422, "image_too_large".into()));
        assert_eq!(code(decoded_bytes(Format::Png, &bomb(7_000)).map(drop)), (422, "image_too_large".into()));
        // 5,000 x 5,000 are allowed; this one lacks all but a few of its pixels.
        assert_eq!(decoded_bytes(Format::Png, &bomb(5_000)).ok(), Some(75_000_000));
        assert_eq!(code(decode(Format::Png, &bomb(5_000))), (422, "image_broken".into()));
    }

    #[test]
    fn a_picture_cut_anywhere_is_broken() {
        for format in Format::ALL {
            let whole = encoded(&gradient(200, 200), format);
            for part in 1..8 {
                let cut = &whole[..whole.len() * part / 8];
                assert_eq!(code(decode(format, cut)), (422, "image_broken".into()), "{format:?}, {part}/8");
            }
        }
    }

    #[test]
    fn the_bytes_must_match_the_declared_type() {
        let png = encoded(&gradient(4, 4), Format::Png);
        assert_eq!(Format::checked(Some("IMAGE/PNG; q=1"), &png).expect("agrees"), Format::Png);
        assert_eq!(code(Format::checked(Some("image/jpeg"), &png)).1, "media_type_mismatch");
        assert_eq!(code(Format::checked(Some("image/png"), b"text")).1, "media_type_mismatch");
        assert_eq!(code(Format::checked(Some("image/gif"), b"GIF89a")).1, "media_type_unsupported");
        assert_eq!(code(Format::checked(None, &png)), (415, "media_type_unsupported".into()));
    }

    #[test]
    fn a_thumbnail_inside_a_jpeg_does_not_stand_for_its_end() {
        let whole = encoded(&gradient(64, 64), Format::Jpeg);
        // An APP1 segment that holds a whole JPEG, as cameras write, before a cut-off picture.
        let length = u16::try_from(whole.len() + 2).expect("small");
        let mut nested = vec![0xff, 0xd8, 0xff, 0xe1];
        nested.extend(length.to_be_bytes());
        nested.extend(&whole);
        nested.extend(&whole[2..whole.len() / 2]);
        assert!(!ends_like_jpeg(&nested));
        nested.extend(&whole[whole.len() / 2..]);
        assert!(ends_like_jpeg(&nested));
    }
}
