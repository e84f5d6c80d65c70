-- expect: steps
pcall(function() while true do end end)
return "still here"
