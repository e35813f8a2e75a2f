//! A tree of very many directories. Called by `main`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How many directories there are in a directory.
const WIDTH: usize = 100;

/// Makes at least `wanted` directories below `root`, three levels deep, and one file in each of the
/// middle level. Gives their number and the path of one of the deepest.
pub fn make(root: &Path, wanted: usize) -> io::Result<(usize, PathBuf)> {
    let tops = wanted.div_ceil(WIDTH * WIDTH).max(1);
    let mut made = 0;
    let mut deepest = root.to_path_buf();
    for top in 0..tops {
        let top = root.join(format!("customer-{top:04}"));
        fs::create_dir(&top)?;
        made += 1;
        for middle in 0..WIDTH {
            if made >= wanted {
                break;
            }
            let middle = top.join(format!("project-{middle:02}"));
            fs::create_dir(&middle)?;
            fs::write(middle.join("index.html"), "a file\n")?;
            made += 1;
            for bottom in 0..WIDTH {
                deepest = middle.join(format!("directory-{bottom:02}"));
                fs::create_dir(&deepest)?;
            }
            made += WIDTH;
        }
    }
    Ok((made, deepest))
}
