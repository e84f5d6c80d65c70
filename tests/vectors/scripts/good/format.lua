-- expect: returns 5|  5|5  |005|+5|ff|FF|17|A|ab|-007|%
return ("%d|%3d|%-3d|%03d|%+d|%x|%X|%o|%c|%.2s|% 04d|%%"):format(5, 5, 5, 5, 5, 255, 255, 15, 65, "abc", -7)
