-- expect: returns 97 99 AbC cba 3
return ("abc"):byte() .. " " .. ("abc"):byte(-1) .. " " .. string.char(65, 98, 67) .. " " .. ("abc"):reverse() .. " " .. #"abc"
