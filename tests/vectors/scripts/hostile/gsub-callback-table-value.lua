-- expect: fails
return (("abc"):gsub(".", function() return {} end))
