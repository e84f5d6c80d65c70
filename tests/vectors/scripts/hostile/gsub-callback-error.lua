-- expect: fails
return (("abc"):gsub(".", function() error("no") end))
