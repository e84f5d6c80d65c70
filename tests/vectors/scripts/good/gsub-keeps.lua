-- expect: returns abc
return (("abc"):gsub("b", function() return false end))
