-- expect: fails
return string.pack("d", 1)
