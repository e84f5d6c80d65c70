-- expect: fails
return string.char(256)
