-- expect: fails
table.sort({print, pcall, pcall})
