-- expect: fails
return (("abc"):gsub("b", "%2"))
