-- expect: fails
return table.concat({}, "", 1, 1 << 40)
