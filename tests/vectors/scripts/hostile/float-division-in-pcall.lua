-- expect: returns false
return tostring(pcall(function(a) return a / 2 end, 1))
