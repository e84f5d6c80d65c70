-- expect: fails
return utf8.char(1)
